// A page of the same site without any of the package: where the user goes when a test needs them to leave.
document.title = 'elsewhere'
