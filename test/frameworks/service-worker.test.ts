import { expect, it } from 'vitest'
import { describeApp } from './describe-app.ts'

/** As the server of the tests makes them, but for their kind. */
const TOKEN = /[ar]t_[\w-]{16,}/

describeApp('service-worker', { back: '401' }, (signedIn) => {
  it('E1 no token is in the page: in no answer that it reads, and in nothing that it can store', async () => {
    const visitor = await signedIn('/')
    const { page, server } = visitor
    await visitor.presses('Sign out')
    await visitor.sees('signed-out', 'header')
    await page.evaluate(() => {
      const { text } = Response.prototype
      const read: string[] = []
      Response.prototype.text = async function () {
        const body = await text.call(this)
        read.push(body)
        return body
      }
      Response.prototype.json = async function () {
        return JSON.parse(await this.text())
      }
      Object.assign(globalThis, { read })
    })
    await visitor.follows('Sign in')
    await visitor.signsIn('viewer')
    await visitor.sees('signed-in', 'header')
    server.expireAccessTokens()
    await visitor.follows('Orders')
    await visitor.sees('Orders of viewer', 'h1')
    expect(server.stats).toMatchObject({ refreshes: 1, logins: 2 })

    const [read, stored] = await page.evaluate(async () => {
      const done = <T>(request: IDBRequest<T>): Promise<T> =>
        new Promise((resolve, reject) => {
          request.onsuccess = () => resolve(request.result)
          request.onerror = () => reject(request.error)
        })
      const found: unknown[] = [{ ...localStorage }, { ...sessionStorage }, document.cookie]
      for (const { name = '' } of await indexedDB.databases()) {
        const database = await done(indexedDB.open(name))
        for (const store of database.objectStoreNames) {
          found.push(await done(database.transaction(store).objectStore(store).getAll()))
        }
        database.close()
      }
      // Bytes as text, whatever they are in.
      const asText = (_name: string, value: unknown): unknown =>
        value instanceof ArrayBuffer || ArrayBuffer.isView(value) ? new TextDecoder('latin1').decode(value) : value
      return [(globalThis as unknown as { read: string[] }).read.join('\n'), JSON.stringify(found, asText)]
    })
    // The answers of the login and of the API, and what the worker has sealed: all of it was looked at.
    expect(read).toContain('"held_by":"service-worker"')
    expect(read).toContain('"viewer"')
    expect(stored).toMatch(/.{200}/)
    expect(`${read} ${stored}`).not.toMatch(TOKEN)
    expect(visitor.reports).toEqual([])
  })
})
