import { useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { load } from './api.ts'
import { orders } from './router.tsx'

export function Orders() {
  const { me, items } = orders.useLoaderData()
  const router = useRouter()
  const [error, setError] = useState<unknown>()
  // Into the errorComponent, as if a loader had failed.
  if (error) throw error

  async function add(form: FormData) {
    const body = JSON.stringify(Object.fromEntries(form))
    try {
      await load('/api/orders', { method: 'POST', body, headers: { 'content-type': 'application/json' } })
      await router.invalidate()
    } catch (thrown) {
      setError(thrown)
    }
  }

  return (
    <>
      <h1>Orders of {me.name}</h1>
      <ul>
        {items.map((item) => (
          <li key={item}>{item}</li>
        ))}
      </ul>
      <form action={add}>
        <label>
          Item
          <input name="item" required />
        </label>
        <button type="submit">Add</button>
      </form>
    </>
  )
}
