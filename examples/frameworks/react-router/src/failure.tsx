import { isRouteErrorResponse, useRouteError } from 'react-router'
import { isAuthError } from 'relatch'

export function Failure() {
  const error = useRouteError()
  if (isRouteErrorResponse(error) && error.status === 403) {
    return (
      <section role="alert">
        <h1>Not for you</h1>
        <p>
          {error.data.problem?.title} Missing: {error.data.requiredScopes.join(', ')}
        </p>
      </section>
    )
  }
  return (
    <section role="alert">
      <h1>That did not work</h1>
      <p>{isRouteErrorResponse(error) ? error.status : isAuthError(error) ? error.code : 'Something is broken.'}</p>
    </section>
  )
}
