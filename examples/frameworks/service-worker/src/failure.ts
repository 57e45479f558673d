import { isAuthError } from 'relatch'
import { HttpError } from './load.ts'

export function failure(error: unknown): HTMLElement {
  const section = document.createElement('section')
  section.role = 'alert'
  const title = document.createElement('h1')
  const text = document.createElement('p')
  section.append(title, text)
  if (error instanceof HttpError && error.response.status === 403) {
    title.textContent = 'Not for you'
    text.textContent = `Missing: ${error.requiredScopes.join(', ')}`
  } else {
    title.textContent = 'That did not work'
    text.textContent = isAuthError(error) ? error.code : String(error)
  }
  return section
}
