import { safeReturnTo } from 'relatch'

export default defineEventHandler(async (event) => {
  const { authUrl } = useRuntimeConfig(event)
  const { username, password, returnTo } = await readBody<Record<string, string>>(event)
  const body = new URLSearchParams({ username: String(username), password: String(password) })
  const response = await fetch(`${authUrl}/login`, { method: 'POST', body })
  const back = safeReturnTo(returnTo)
  if (!response.ok) return sendRedirect(event, `/login?problem=1&returnTo=${encodeURIComponent(back)}`, 303)
  await event.context.api().signIn(await response.json())
  return sendRedirect(event, back, 303)
})
