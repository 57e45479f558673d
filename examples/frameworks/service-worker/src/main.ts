import '../../style.css'
import { go, show } from './pages.ts'
import { showSession } from './session.ts'

showSession(document.querySelector('.session') as HTMLElement)

document.querySelector('header')?.addEventListener('click', (event) => {
  const link = (event.target as Element).closest('a')
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return
  event.preventDefault()
  go(link.href)
})
addEventListener('popstate', show)
await show()
