/** What is to mind with more than one client, in the same words. Each of them shows it by a test of own-settings.ts. */

export const OWN_AUTHORIZATION =
  'An `Authorization` of your own in `headers` is left alone and gets no recovery: leave it out.'

export const TIMEOUT_IS_OFF =
  'Its `timeout`, off by default, counts the wait for a refresh or a login: set it above `refreshTimeoutMs`.'

export const NO_TIMEOUT_AND_NO_RETRIES =
  'It has no timeout and no retries; an `AbortSignal.timeout()` counts the wait for a refresh or a login.'
