import { getApi } from '@/lib/api'

export default async function Admin() {
  const api = await getApi()
  const { user } = await (await api('/admin')).json()
  return <h1>{user} may do everything</h1>
}
