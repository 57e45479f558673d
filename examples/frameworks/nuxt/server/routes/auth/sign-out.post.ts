export default defineEventHandler(async (event) => {
  await event.context.api().signOut()
  return sendRedirect(event, '/login', 303)
})
