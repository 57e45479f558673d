/** The place of the devtools. The panel itself is the package's own element, and knows nothing of this page. */
import type { ReactElement } from 'react'
import { defineDevtools, type RelatchDevtoolsElement } from 'relatch/devtools'
import { api } from './client.ts'

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'relatch-devtools': Partial<Pick<RelatchDevtoolsElement, 'session' | 'open' | 'max'>>
    }
  }
}

defineDevtools()

export function Devtools(): ReactElement {
  return (
    <section className="dock" aria-label="Devtools">
      <relatch-devtools open session={api} max={400} />
    </section>
  )
}
