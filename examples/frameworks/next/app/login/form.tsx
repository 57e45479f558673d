'use client'

import { usePathname, useSearchParams } from 'next/navigation'
import { useActionState } from 'react'
import { signIn } from '../actions'

export function LoginForm() {
  const [problem, action] = useActionState(signIn, null)
  const pathname = usePathname()
  const search = useSearchParams()
  const returnTo = pathname === '/login' ? (search.get('returnTo') ?? '/') : `${pathname}?${search}`
  return (
    <main>
      <h1>Sign in</h1>
      <form action={action}>
        <input type="hidden" name="returnTo" value={returnTo} />
        <input name="username" autoComplete="username" required />
        <input name="password" type="password" autoComplete="current-password" required />
        <button type="submit">Sign in</button>
        {problem && <p role="alert">{problem}</p>}
      </form>
    </main>
  )
}
