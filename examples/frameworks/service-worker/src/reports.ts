import { list } from './list.ts'
import { load } from './load.ts'
import type { Page } from './pages.ts'

export const reports: Page = async (signal) => {
  const page = document.createElement('div')
  page.innerHTML = '<h1>Reports</h1>'
  page.append(list(await load<string[]>('/api/reports', { signal })))
  return page
}
