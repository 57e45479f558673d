/** What a stolen refresh token does: it comes again after it was spent, and the server notices. */
import type { AuthFetch } from 'relatch'

/** @returns what came of it, for the person who looks */
export async function replaySpentToken(api: AuthFetch, isDetected: boolean): Promise<string> {
  const stolen = (await api.tokens())?.refreshToken
  if (stolen === undefined) {
    return api.snapshot().status === 'signed-out'
      ? 'Nobody is signed in: there is nothing to steal.'
      : 'Nothing to steal: the service worker has the tokens, and no script on this page gets them.'
  }
  await api.refresh()
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: stolen })
  const response = await fetch('/token', { method: 'POST', body })
  if (response.ok) return 'Answered: without rotation an old token stays good.'
  const { error } = (await response.json()) as { error?: string }
  const next = isDetected ? 'The session is revoked: call something, and see.' : 'The session goes on.'
  return `Refused with ${error ?? response.status}. ${next}`
}
