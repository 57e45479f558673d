'use server'

import { cookies } from 'next/headers'
import { redirect } from 'next/navigation'
import { safeReturnTo } from 'relatch'
import { apiFor } from '@/lib/api'

export async function signIn(_before: string | null, form: FormData): Promise<string | null> {
  const body = new URLSearchParams({ username: String(form.get('username')), password: String(form.get('password')) })
  const response = await fetch(`${process.env.AUTH_URL}/login`, { method: 'POST', body })
  if (!response.ok) return 'Wrong name or password'
  await apiFor(await cookies()).signIn(await response.json())
  redirect(safeReturnTo(form.get('returnTo')))
}

export async function signOut() {
  await apiFor(await cookies()).signOut()
  redirect('/login')
}
