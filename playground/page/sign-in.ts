/** The login page of the auth server: it knows who you are, and sends you back with a code. It never sees the app's session. */
import { safeReturnTo } from 'relatch'
import type { UserName } from '../contract.ts'
import { hrefOf, readChoices } from './choices.ts'
import { command } from './control.ts'

const { search, origin } = location
// From a query anything may come: only a path of this site goes back.
const back = safeReturnTo(new URLSearchParams(search).get('returnTo'), { fallback: hrefOf(readChoices(location)) })
const complaint = document.getElementById('complaint') as HTMLElement
const shown = document.getElementById('back') as HTMLElement
shown.textContent = back

for (const button of document.querySelectorAll<HTMLButtonElement>('[data-user]')) {
  button.addEventListener('click', async () => {
    try {
      const { code } = await command<{ code: string }>({ do: 'code', user: button.dataset.user as UserName })
      const url = new URL(back, origin)
      url.searchParams.set('code', code)
      location.assign(url)
    } catch {
      complaint.textContent = 'The server does not answer.'
    }
  })
}
