/** The session of the page: what an app writes to use relatch, and nothing else. */
import { type AuthFetch, createAuthFetch, loginRedirect, refreshEndpoint } from 'relatch'
import { type Choices, readChoices, STORES } from './choices.ts'
import { createControl } from './control.ts'
import { createPrompts } from './prompts.ts'
import { createRuns } from './runs.ts'
import { createToasts } from './toasts.ts'

export const choices: Choices = readChoices(location.search)
export const prompts: ReturnType<typeof createPrompts> = createPrompts()
export const toasts: ReturnType<typeof createToasts> = createToasts()

export const api: AuthFetch = createAuthFetch({
  store: STORES[choices.store].make(),
  refresh: refreshEndpoint({ url: '/token', clientId: 'playground' }),
  onLoginRequired: choices.login === 'redirect' ? loginRedirect({ to: '/sign-in' }) : prompts.onLoginRequired,
  onStepUp: prompts.onStepUp,
  onPermissionDenied: toasts.onPermissionDenied,
})

export const control: ReturnType<typeof createControl> = createControl()
export const runs: ReturnType<typeof createRuns> = createRuns(api, control)
