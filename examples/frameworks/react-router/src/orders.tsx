import {
  type ActionFunctionArgs,
  type LoaderFunctionArgs,
  useFetcher,
  useLoaderData,
  useRevalidator,
} from 'react-router'
import { load } from './api.ts'

export async function loader({ request: { signal } }: LoaderFunctionArgs) {
  const [me, orders] = await Promise.all([
    load<{ name: string }>('/api/me', { signal }),
    load<string[]>('/api/orders', { signal }),
  ])
  return { me, orders }
}

export async function action({ request }: ActionFunctionArgs) {
  return order(await request.formData(), request.signal)
}

function order(form: FormData, signal: AbortSignal | null = null) {
  const body = JSON.stringify(Object.fromEntries(form))
  return load('/api/orders', { method: 'POST', body, signal, headers: { 'content-type': 'application/json' } })
}

export function Component() {
  const { me, orders } = useLoaderData<typeof loader>()
  // A fetcher and not <Form>: what it sends outlives the way to the login page.
  const fetcher = useFetcher()
  const { revalidate } = useRevalidator()
  return (
    <>
      <h1>Orders of {me.name}</h1>
      <ul>
        {orders.map((item) => (
          <li key={item}>{item}</li>
        ))}
      </ul>
      <fetcher.Form method="post">
        <label>
          Item
          <input name="item" required />
        </label>
        <button type="submit">Add</button>
      </fetcher.Form>
      {/* Without the router: an action of React's own. */}
      <form action={(form) => order(form).then(revalidate)}>
        <input type="hidden" name="item" value="Cake" />
        <button type="submit">Some cake</button>
      </form>
    </>
  )
}
