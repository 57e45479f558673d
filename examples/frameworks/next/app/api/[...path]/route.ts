import { cookies } from 'next/headers'
import { apiFor } from '@/lib/api'
import { passOn } from '@/lib/pass-on'

/** Without callbacks: the browser gets the API's own 401 and 403, and knows what to do with them. */
const handle = async (request: Request) => passOn(apiFor(await cookies()), process.env.API_URL, request)

export { handle as DELETE, handle as GET, handle as PATCH, handle as POST, handle as PUT }
