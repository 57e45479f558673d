import { useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { safeReturnTo } from 'relatch'
import { api } from './api.ts'
import { login } from './router.tsx'

export function Login() {
  const { returnTo } = login.useSearch()
  const router = useRouter()
  const [isWrong, setWrong] = useState(false)

  async function signIn(form: FormData) {
    // A plain fetch: calls of `api` wait for this login.
    const response = await fetch('/login', { method: 'POST', body: new URLSearchParams(form as never) })
    setWrong(!response.ok)
    if (!response.ok) return
    await api.signIn(await response.json())
    await router.navigate({ href: safeReturnTo(returnTo), replace: true })
  }

  return (
    <form action={signIn}>
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
