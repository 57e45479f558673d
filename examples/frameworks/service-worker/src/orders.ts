import { list } from './list.ts'
import { load } from './load.ts'
import { type Page, show } from './pages.ts'

export const orders: Page = async (signal) => {
  const [me, items] = await Promise.all([
    load<{ name: string }>('/api/me', { signal }),
    load<string[]>('/api/orders', { signal }),
  ])
  const page = document.createElement('div')
  page.innerHTML = '<h1></h1><form><label>Item <input name="item" required></label><button>Add</button></form>'
  const [title, form] = page.children as unknown as [HTMLElement, HTMLFormElement]
  title.textContent = `Orders of ${me.name}`
  title.after(list(items))

  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const body = JSON.stringify(Object.fromEntries(new FormData(form)))
    // No signal: what the user has sent waits through a login, and the page is shown again when it is done.
    await load('/api/orders', { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    await show()
  })
  return page
}
