/** Where a program that the tests drive is; null where it is not. */
export function findProgram(name: 'chrome' | 'firefox' | 'webkit' | 'webkitDriver' | 'xvfb' | 'redis'): string | null
