/** What workerd reports with an old compatibility date, and nobody else does. */
import type { Case, Context, Difference } from './case.ts'
import { equal, ok } from './check.ts'

/** What those who leave without a reason of their own have left with. */
const ABORT = 'AbortError: The operation was aborted'

/** Takes out what was reported, which has to be the reason that the caller left with, and nothing else. */
function takeRejections(reports: string[], reason: string): void {
  const taken = reports.splice(0)
  ok(taken.length > 0, 'something to be reported')
  equal([...new Set(taken)], [`a rejection that nobody handled: ${reason}`], 'what was reported')
}

/**
 * Somebody leaves while the body of a 401 is unread: then workerd calls a rejection unhandled before its handler has had a turn.
 *
 * @param reason as workerd writes it
 */
export const reportedEarly = (run: (context: Context) => Promise<void>, reason: string = ABORT): Difference => ({
  note: 'early-rejections',
  on: ['workerd-2025'],
  async instead(context) {
    await run(context)
    for (let turn = 0; turn < 100 && context.reports.length === 0; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    takeRejections(context.reports, reason)
  },
})

export const whileWaiting = (subject: Omit<Case, 'differs'>, reason?: string): Case => ({
  ...subject,
  differs: [reportedEarly(subject.run, reason)],
})
