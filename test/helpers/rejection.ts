/** What a promise rejects with; fails where it does not. `await expect(…).rejects` cannot compare with `undefined`. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    () => ({ hasRejected: false, value: undefined }),
    (value: unknown) => ({ hasRejected: true, value }),
  )
  if (!outcome.hasRejected) throw new Error('Expected a rejection')
  return outcome.value
}
