// What a server does with the hook. What a browser does (StrictMode, hydration, new renderings) is in test/browser/react.test.ts.
import { createElement, type ReactNode, StrictMode } from 'react'
import { renderToString } from 'react-dom/server'
import { describe, expect, it, vi } from 'vitest'
import { useAuthSession } from '../../../src/adapters/react.ts'
import { createAuthFetch, memoryStore, type SessionSnapshot } from '../../../src/index.ts'

const tokens = { accessToken: 'at-secret', subject: 'ada', scope: 'orders' }

function render(api: Parameters<typeof useAuthSession>[0]) {
  const seen: SessionSnapshot[] = []
  const Account = (): ReactNode => {
    seen.push(useAuthSession(api))
    return JSON.stringify(seen.at(-1))
  }
  const html = renderToString(createElement(StrictMode, null, createElement(Account)))
  return { html, seen }
}

describe('on a server', () => {
  it('the session is signed out, whoever is: the browser that hydrates it must find the same', async () => {
    const api = createAuthFetch({ baseUrl: 'https://api.example', store: memoryStore(tokens) })
    expect(await api.tokens()).toMatchObject({ subject: 'ada' })
    expect(api.snapshot()).toMatchObject({ status: 'signed-in', subject: 'ada' })
    expect(render(api).html).toBe('{&quot;status&quot;:&quot;signed-out&quot;}')
  })

  it('every rendering is given one and the same frozen object', () => {
    const api = createAuthFetch({ baseUrl: 'https://api.example' })
    const [first] = render(api).seen
    expect(first).toEqual({ status: 'signed-out' })
    expect(Object.isFrozen(first)).toBe(true)
    expect(render(createAuthFetch({ baseUrl: 'https://api.example' })).seen[0]).toBe(first)
  })

  it('nothing is subscribed to: nobody would end it', () => {
    const subscribe = vi.fn(() => () => {})
    render({ subscribe, snapshot: () => ({ status: 'signed-in' }) })
    expect(subscribe).not.toHaveBeenCalled()
  })
})
