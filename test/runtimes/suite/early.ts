/** What workerd reports with an old compatibility date, and nobody else does. */
import type { Case, Context, Difference } from './case.ts'
import { ok } from './check.ts'

/** Takes out what was reported, which has to be rejections and nothing else. */
function takeRejections(reports: string[]): void {
  const taken = reports.splice(0)
  ok(taken.length > 0, 'something to be reported')
  ok(
    taken.every((report) => report.startsWith('a rejection')),
    'rejections and nothing else',
  )
}

/** Somebody leaves while the body of a 401 is unread: then workerd calls a rejection unhandled before its handler has had a turn. */
export const reportedEarly = (run: (context: Context) => Promise<void>): Difference => ({
  note: 'early-rejections',
  on: ['workerd-2025'],
  async instead(context) {
    await run(context)
    for (let turn = 0; turn < 100 && context.reports.length === 0; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    takeRejections(context.reports)
  },
})

export const whileWaiting = (subject: Omit<Case, 'differs'>): Case => ({
  ...subject,
  differs: [reportedEarly(subject.run)],
})
