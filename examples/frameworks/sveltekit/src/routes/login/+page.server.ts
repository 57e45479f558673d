import { fail, redirect } from '@sveltejs/kit'
import { safeReturnTo } from 'relatch'
import { AUTH_URL } from '$app/env/private'

export const actions = {
  default: async ({ request, locals: { api }, url }) => {
    const form = await request.formData()
    const body = new URLSearchParams({ username: String(form.get('username')), password: String(form.get('password')) })
    const response = await fetch(`${AUTH_URL}/login`, { method: 'POST', body })
    if (!response.ok) return fail(401, { problem: 'Wrong name or password' })
    await api.signIn(await response.json())
    redirect(303, safeReturnTo(url.searchParams.get('returnTo')))
  },
}
