/** What the session is now, and where it is kept. */
import type { ReactElement } from 'react'
import type { SessionSnapshot } from 'relatch'
import { useAuthSession } from 'relatch/react'
import { hrefOf, LOGIN_WAYS, type LoginWay, STORE_NAMES, STORES } from './choices.ts'
import { api, choices } from './client.ts'
import { useNow } from './use.ts'

const LIFETIME_MS = 60_000

const STATES: Record<SessionSnapshot['status'], string> = {
  'signed-out': 'signed out',
  'signed-in': 'signed in',
  refreshing: 'refreshing',
  'login-required': 'login required',
}

const LOGIN_HINTS: Record<LoginWay, string> = {
  dialog: 'A dialog asks, and requests wait for it.',
  redirect: 'The page leaves for the login page, and comes back to where it was.',
}

export function Header(): ReactElement {
  const session = useAuthSession(api)
  return (
    <header>
      <h1>
        relatch <span>playground</span>
      </h1>
      <div className="session">
        <output className={`state ${session.status}`} aria-label="Session">
          {STATES[session.status]}
        </output>
        {session.subject !== undefined && (
          <span className="who" title={`Scopes: ${session.scope}`}>
            {session.subject}
          </span>
        )}
        {session.expiresAt !== undefined && <Countdown expiresAt={session.expiresAt} />}
      </div>
      <div className="choices">
        <Choice label="store" about="Where the session is kept" options={STORE_NAMES} chosen={choices.store}>
          {(store) => ({ href: hrefOf({ ...choices, store }), title: STORES[store].hint })}
        </Choice>
        <Choice label="login" about="How a login is asked for" options={LOGIN_WAYS} chosen={choices.login}>
          {(login) => ({ href: hrefOf({ ...choices, login }), title: LOGIN_HINTS[login] })}
        </Choice>
      </div>
    </header>
  )
}

function Countdown({ expiresAt }: { expiresAt: number }): ReactElement {
  const leftMs = Math.max(0, expiresAt - useNow(true))
  return (
    <span className="countdown" role="timer" aria-label="Access token">
      <progress max={LIFETIME_MS} value={Math.min(leftMs, LIFETIME_MS)} aria-hidden="true" />
      <span>{leftMs > 0 ? `expires in ${Math.ceil(leftMs / 1_000)} s` : 'expired: refreshed next'}</span>
    </span>
  )
}

interface ChoiceProps<T extends string> {
  label: string
  about: string
  options: readonly T[]
  chosen: T
  children: (option: T) => { href: string; title: string }
}

/** Links, not switches: each choice is a page of its own, and the session is what a reload keeps of it. */
function Choice<T extends string>({ label, about, options, chosen, children }: ChoiceProps<T>): ReactElement {
  return (
    <nav aria-label={about}>
      <span>{label}</span>
      {options.map((option) => (
        <a key={option} {...children(option)} aria-current={option === chosen ? 'true' : undefined}>
          {option}
        </a>
      ))}
    </nav>
  )
}
