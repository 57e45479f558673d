import type { ErrorComponentProps } from '@tanstack/react-router'
import { isAuthError } from 'relatch'
import { Denied } from './api.ts'

export function Failure({ error }: ErrorComponentProps) {
  if (error instanceof Denied) {
    return (
      <section role="alert">
        <h1>Not for you</h1>
        <p>
          {error.message} Missing: {error.requiredScopes.join(', ')}
        </p>
      </section>
    )
  }
  return (
    <section role="alert">
      <h1>That did not work</h1>
      <p>{isAuthError(error) ? error.code : String(error)}</p>
    </section>
  )
}
