/** The session of the page: what an app writes to use relatch, and nothing else. */
import { type AuthFetch, loginRedirect, refreshEndpoint } from 'relatch'
import { WORKER_SCOPE } from '../contract.ts'
import { type Choices, hrefOf, readChoices, STORES } from './choices.ts'
import { createControl } from './control.ts'
import { createPrompts } from './prompts.ts'
import { createRuns } from './runs.ts'
import { createToasts } from './toasts.ts'

export const choices: Choices = readChoices(location)
// `?store=service-worker`, as for any other store: no worker controls a page outside of its scope.
if (choices.store === 'service-worker' && !location.pathname.startsWith(WORKER_SCOPE)) location.replace(hrefOf(choices))

export const prompts: ReturnType<typeof createPrompts> = createPrompts()
export const toasts: ReturnType<typeof createToasts> = createToasts()

export const api: AuthFetch = await STORES[choices.store].open({
  refresh: refreshEndpoint({ url: '/token', clientId: 'playground' }),
  onLoginRequired: choices.login === 'redirect' ? loginRedirect({ to: '/sign-in' }) : prompts.onLoginRequired,
  onStepUp: prompts.onStepUp,
  onPermissionDenied: toasts.onPermissionDenied,
})

export const control: ReturnType<typeof createControl> = createControl()
export const runs: ReturnType<typeof createRuns> = createRuns(api, control)
