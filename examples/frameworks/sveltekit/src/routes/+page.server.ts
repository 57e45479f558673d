import { redirect } from '@sveltejs/kit'

export async function load({ locals: { api } }) {
  const [me, { items }] = await Promise.all([
    api('/me').then((response) => response.json()),
    api('/items').then((response) => response.json()),
  ])
  return { user: String(me.user), count: items.length }
}

export const actions = {
  signOut: async ({ locals: { api } }) => {
    await api.signOut()
    redirect(303, '/login')
  },
}
