/** A browser's request, passed on with the session that its cookie stands for; the answer is the API's, a 401 or a 403 too. */
export default defineEventHandler(async (event) => {
  const { apiUrl } = useRuntimeConfig(event)
  const isReading = event.method === 'GET' || event.method === 'HEAD'
  const body = isReading ? undefined : await readRawBody(event, false)
  const type = getHeader(event, 'content-type')
  const answer = await event.context.api()(apiUrl + event.path.slice('/api'.length), {
    method: event.method,
    headers: { accept: getHeader(event, 'accept') ?? '*/*', ...(type && { 'content-type': type }) },
    ...(body && { body: new Uint8Array(body) }),
  })
  const answerType = answer.headers.get('content-type')
  return new Response(answer.body, {
    status: answer.status,
    headers: { 'cache-control': 'no-store', ...(answerType && { 'content-type': answerType }) },
  })
})
