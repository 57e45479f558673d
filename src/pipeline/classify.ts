/** What an answer means for recovery: by status, unless the app knows better (D3). */
import { misuse } from '../errors.ts'
import type { Settings } from '../options.ts'
import type { Denial, Verdict } from '../ports.ts'
import { type Call, summaryOf } from './call.ts'

/** 401 means "show me who you are", 403 means "I know you, and no"; everything else is the caller's business. */
export const byStatus = (status: number): Verdict => (status === 401 ? 'recover' : status === 403 ? 'deny' : 'pass')

/** The same, where the scheme has been asked. */
const byDefault = ({ denialReason }: Call, { status }: Response): Verdict => (denialReason ? 'deny' : byStatus(status))

/** Asks the scheme why an error answer is a denial; a mistake in it must not cost the caller a response. */
async function denialReasonOf({ denialReason }: Settings, response: Response): Promise<Denial['reason'] | undefined> {
  const { status } = response
  if (status < 400 || status === 401) return undefined
  try {
    return (await denialReason?.(response)) || undefined
  } catch {
    return undefined
  }
}

/** Asks the scheme, and the app's `classify`; what that throws rejects the call, unchanged. */
export async function classified(settings: Settings, call: Call, response: Response): Promise<Verdict> {
  call.denialReason = await denialReasonOf(settings, response)
  const { classify } = settings
  if (classify === undefined) return byDefault(call, response)
  const verdict = (await classify(response, { ...summaryOf(call), url: call.url.href })) ?? byDefault(call, response)
  if (verdict !== 'pass' && verdict !== 'recover' && verdict !== 'deny') {
    throw misuse('ERR_VERDICT', "Expected classify() to return 'pass', 'recover', 'deny' or undefined")
  }
  return verdict
}
