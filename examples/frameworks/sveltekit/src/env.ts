import { defineEnvVars } from '@sveltejs/kit/env'

/** Set where the app runs; a build does without. */
const atRunTime = { schema: (value: string | undefined) => value ?? '' }

export const variables = defineEnvVars({ API_URL: atRunTime, AUTH_URL: atRunTime, SESSION_SECRET: atRunTime })
