import { HttpErrorResponse } from '@angular/common/http'
import { Component, computed, input } from '@angular/core'
import { isAuthError } from 'relatch'
import { Denied } from './api'

@Component({
  selector: 'app-failure',
  template: `
    <section role="alert">
      @if (denied(); as denied) {
        <h1>Not for you</h1>
        <p>{{ denied.message }} Missing: {{ denied.requiredScopes.join(', ') }}</p>
      } @else {
        <h1>That did not work</h1>
        <p>{{ text() }}</p>
      }
    </section>
  `,
})
export class Failure {
  readonly error = input.required<unknown>()
  // HttpClient wraps what a request has been rejected with.
  readonly #cause = computed(() => {
    const error = this.error()
    return error instanceof HttpErrorResponse && error.error instanceof Error ? error.error : error
  })
  protected readonly denied = computed(() => {
    const cause = this.#cause()
    return cause instanceof Denied ? cause : null
  })
  protected readonly text = computed(() => {
    const cause = this.#cause()
    return isAuthError(cause) ? cause.code : (cause as Error).message
  })
}
