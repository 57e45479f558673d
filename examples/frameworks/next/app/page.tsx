import { getApi } from '@/lib/api'
import { signOut } from './actions'
import { Refetch } from './refetch'

export default async function Page() {
  const api = await getApi()
  const [me, items] = await Promise.all([
    api('/me').then((response) => response.json()),
    api('/items').then((response) => response.json()),
  ])
  return (
    <main>
      <h1>{me.user}</h1>
      <p>{items.items.length} items</p>
      <Refetch />
      <form action={signOut}>
        <button type="submit">Sign out</button>
      </form>
    </main>
  )
}
