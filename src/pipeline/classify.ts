/** What an answer means for recovery: by status, unless the app knows better (D3). */
import { misuse } from '../errors.ts'
import type { Settings } from '../options.ts'
import type { Verdict } from '../ports.ts'
import { type Call, summaryOf } from './call.ts'

/** 401 means "show me who you are", 403 means "I know you, and no"; everything else is the caller's business. */
export const byStatus = (status: number): Verdict => (status === 401 ? 'recover' : status === 403 ? 'deny' : 'pass')

/** Asks the app's `classify`; what that throws rejects the call, unchanged. */
export async function classified(
  classify: NonNullable<Settings['classify']>,
  call: Call,
  response: Response,
): Promise<Verdict> {
  const verdict = (await classify(response, { ...summaryOf(call), url: call.url.href })) ?? byStatus(response.status)
  if (verdict !== 'pass' && verdict !== 'recover' && verdict !== 'deny') {
    throw misuse('ERR_VERDICT', "Expected classify() to return 'pass', 'recover', 'deny' or undefined")
  }
  return verdict
}
