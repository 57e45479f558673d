export async function load({ locals: { api } }) {
  const { user } = await (await api('/admin')).json()
  return { user: String(user) }
}
