import { Component, inject, signal } from '@angular/core'
import { ActivatedRoute, Router } from '@angular/router'
import { safeReturnTo } from 'relatch'
import { API } from './api'

@Component({
  selector: 'app-login',
  template: `
    <form (submit)="signIn($event)">
      <label>Name <input name="username" autocomplete="username" required></label>
      <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
      <button type="submit">Sign in</button>
      @if (isWrong()) {
        <p role="alert">Wrong name or password</p>
      }
    </form>
  `,
})
export class LoginPage {
  readonly #api = inject(API)
  readonly #router = inject(Router)
  readonly #query = inject(ActivatedRoute).snapshot.queryParamMap
  protected readonly isWrong = signal(false)

  protected async signIn(event: Event): Promise<void> {
    event.preventDefault()
    const body = new URLSearchParams(new FormData(event.target as HTMLFormElement) as never)
    // A plain fetch: calls of `api`, and of HttpClient with it, wait for this login.
    const response = await fetch('/login', { method: 'POST', body })
    this.isWrong.set(!response.ok)
    if (!response.ok) return
    await this.#api.signIn(await response.json())
    await this.#router.navigateByUrl(safeReturnTo(this.#query.get('returnTo')), { replaceUrl: true })
  }
}
