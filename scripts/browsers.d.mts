/** Where a program that the browser tests drive is; null where it is not. */
export function findProgram(name: 'chrome' | 'firefox' | 'webkit' | 'webkitDriver' | 'xvfb'): string | null
