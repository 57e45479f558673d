import type { RequestHandler } from '@sveltejs/kit'
import { passOn } from '#lib/server/pass-on.ts'
import { API_URL } from '$app/env/private'

/** Every method, GET too. */
export const fallback: RequestHandler = ({ request, locals: { api } }) => passOn(api, API_URL, request)
