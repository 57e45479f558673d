import { safeReturnTo } from 'relatch'
import { api } from './api.ts'
import { go, type Page } from './pages.ts'

export const login: Page = () => {
  const form = document.createElement('form')
  form.innerHTML = `
    <label>Name <input name="username" autocomplete="username" required></label>
    <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
    <button type="submit">Sign in</button>
    <p role="alert" hidden>Wrong name or password</p>`
  const wrong = form.querySelector('p') as HTMLElement

  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const body = new URLSearchParams(new FormData(form) as never)
    // On a first visit the worker is still on its way.
    await api.ready
    // A plain fetch: calls of `api` wait for this login.
    const response = await fetch('/login', { method: 'POST', body })
    wrong.hidden = response.ok
    if (!response.ok) return
    // Without its tokens: the worker has them already.
    await api.signIn(await response.json())
    go(safeReturnTo(new URLSearchParams(location.search).get('returnTo')))
  })
  return form
}
