import { createElement, type ReactNode, useEffect, useRef } from 'react'
import { createRoot } from 'react-dom/client'
import useSWR, { SWRConfig, type SWRConfiguration } from 'swr'
import useSWRMutation from 'swr/mutation'
import { connect } from '../../hand-over/swr.ts'
import { openPage } from './kit.ts'

interface Settled {
  resolve: (data: unknown) => void
  reject: (error: unknown) => void
}

/** Where nothing else says that it is enough. */
const ENOUGH = 10

await openPage((api) => {
  const { config, send } = connect(api, location.origin)
  // An app that has just begun: nothing is cached. The pauses between retries, 5 s and more, are of no interest.
  const fresh = (own: SWRConfiguration): SWRConfiguration => ({
    ...own,
    provider: () => new Map(),
    errorRetryInterval: 1,
  })

  function mounted(own: SWRConfiguration, element: (settled: Settled) => ReactNode): Promise<unknown> {
    const root = createRoot(document.createElement('div'))
    return new Promise<unknown>((resolve, reject) =>
      root.render(createElement(SWRConfig, { value: fresh(own) }, element({ resolve, reject }))),
    ).finally(() => root.unmount())
  }

  function Query({ path, resolve, reject }: Settled & { path: string }): ReactNode {
    const failures = useRef(0)
    useSWR(path, {
      onSuccess: resolve,
      // It tells of each failure, and not which one is the last.
      onError(error, _key, { errorRetryCount = ENOUGH - 1, shouldRetryOnError: again = true }) {
        failures.current += 1
        const isLast = failures.current > errorRetryCount || !(typeof again === 'function' ? again(error) : again)
        if (isLast) reject(error)
      },
    })
    return null
  }

  function Mutation({ text, resolve, reject }: Settled & { text: string }): ReactNode {
    const { trigger } = useSWRMutation('/messages', send)
    useEffect(() => void trigger({ text }).then(resolve, reject), [])
    return null
  }

  const get = (own: SWRConfiguration) => (path: string) =>
    mounted(own, (settled) => createElement(Query, { path, ...settled }))
  return {
    get: get(config),
    /** SWR's own rules. */
    getByDefault: get({ ...(config.fetcher && { fetcher: config.fetcher }) }),
    post: (text) => mounted(config, (settled) => createElement(Mutation, { text, ...settled })),
  }
})
