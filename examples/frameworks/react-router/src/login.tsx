import { type FormEvent, useState } from 'react'
import { useNavigate, useSearchParams } from 'react-router'
import { safeReturnTo } from 'relatch'
import { api } from './api.ts'

export function Login() {
  const [search] = useSearchParams()
  const navigate = useNavigate()
  const [isWrong, setWrong] = useState(false)

  async function signIn(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const body = new URLSearchParams(new FormData(event.currentTarget) as never)
    // A plain fetch: calls of `api` wait for this login.
    const response = await fetch('/login', { method: 'POST', body })
    setWrong(!response.ok)
    if (!response.ok) return
    await api.signIn(await response.json())
    await navigate(safeReturnTo(search.get('returnTo')), { replace: true })
  }

  return (
    <form onSubmit={signIn}>
      <label>
        Name
        <input name="username" autoComplete="username" required />
      </label>
      <label>
        Password
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <button type="submit">Sign in</button>
      {isWrong && <p role="alert">Wrong name or password</p>}
    </form>
  )
}
