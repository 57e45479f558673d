/** The question that requests wait for. Not modal: the rest of the page, and other tabs, can answer it too. */
import { type ReactElement, useEffect, useRef, useState } from 'react'
import { useAuthSession } from 'relatch/react'
import type { UserName } from '../contract.ts'
import { hrefOf, STORES } from './choices.ts'
import { api, choices, prompts, runs } from './client.ts'
import { logIn } from './login.ts'
import type { Prompt } from './prompts.ts'
import { useObservable } from './use.ts'

const WHY: Record<string, string> = {
  'no-session': 'Nobody is signed in.',
  'session-over': 'The session is over.',
  'refresh-refused': 'The server refused the refresh: the session is over.',
}

export function PromptDialog(): ReactElement | null {
  const prompt = useObservable(prompts)
  return prompt && <Question key={prompt.reason} prompt={prompt} />
}

function Question({ prompt }: { prompt: Prompt }): ReactElement {
  const [complaint, setComplaint] = useState('')
  const { subject } = useAuthSession(api)
  const dialog = useRef<HTMLDialogElement>(null)
  const waiting = useObservable(runs).reduce((sum, { pending }) => sum + pending, 0)
  const isStepUp = prompt.kind === 'step-up'
  useEffect(() => dialog.current?.show(), [])

  const answer = async (user: UserName): Promise<void> => {
    try {
      setComplaint('')
      prompt.settle(await logIn(user, prompt.acrValues))
    } catch (error) {
      setComplaint((error as Error).message)
    }
  }
  const { method, url } = prompt.request
  const why = isStepUp ? `It asks for ${prompt.acrValues.join(' or ')}.` : WHY[prompt.reason]
  return (
    <dialog ref={dialog} aria-labelledby="question" onKeyDown={({ key }) => key === 'Escape' && prompt.settle(null)}>
      <h2 id="question">{isStepUp ? 'Prove that it is you' : 'Sign in to go on'}</h2>
      <p className="need">
        <code>
          {method} {new URL(url).pathname}
        </code>{' '}
        met a 401. {why} {waiting > 1 ? `${waiting} requests wait.` : 'The request waits.'}
      </p>
      <div className="controls">
        {isStepUp ? (
          <button type="button" className="main" onClick={() => answer(subject as UserName)}>
            Confirm with a second factor
          </button>
        ) : (
          <>
            <button type="button" className="main" onClick={() => answer('viewer')}>
              Sign in as viewer
            </button>
            <button type="button" onClick={() => answer('admin')}>
              as admin
            </button>
            {STORES[choices.store].isShared && (
              <a className="button" href={hrefOf(choices, 'sign-in')} target="_blank" rel="noreferrer">
                in another tab
              </a>
            )}
          </>
        )}
        <button type="button" onClick={() => prompt.settle(null)}>
          Not now
        </button>
      </div>
      {complaint !== '' && (
        <p className="complaint" role="alert">
          {complaint}
        </p>
      )}
    </dialog>
  )
}
