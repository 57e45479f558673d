/** The page: what you can do on the left, what came of it on the right, the devtools below. */
import type { ReactElement } from 'react'
import { control } from './client.ts'
import { Devtools } from './devtools.tsx'
import { Header } from './header.tsx'
import { PromptDialog } from './prompt-dialog.tsx'
import { RequestPanel } from './request-panel.tsx'
import { Results } from './results.tsx'
import { ServerPanel } from './server-panel.tsx'
import { SessionPanel } from './session-panel.tsx'
import { useObservable } from './use.ts'

export function App(): ReactElement {
  const { isGone } = useObservable(control)
  return (
    <>
      <Header />
      <PromptDialog />
      {isGone && (
        <p className="gone" role="alert">
          The playground's server has ended. <code>npm start</code> brings it back.
        </p>
      )}
      <main>
        <div className="column">
          <SessionPanel />
          <RequestPanel />
        </div>
        <ServerPanel />
        <Results />
      </main>
      <Devtools />
    </>
  )
}
