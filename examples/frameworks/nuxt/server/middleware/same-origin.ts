/** Another site's form may be sent here too, and the browser adds the cookie where it counts as ours (a subdomain does). */
export default defineEventHandler((event) => {
  const isReading = event.method === 'GET' || event.method === 'HEAD'
  const site = getHeader(event, 'sec-fetch-site') ?? 'same-origin'
  if (!isReading && site !== 'same-origin') throw createError({ statusCode: 403 })
})
