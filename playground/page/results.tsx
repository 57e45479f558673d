/** What the server saw, counted; and each run, as both sides tell it. */
import type { ReactElement, ReactNode } from 'react'
import type { Counts, SeenLine } from '../contract.ts'
import { control, runs } from './client.ts'
import { Button, Panel } from './panel.tsx'
import type { Run } from './runs.ts'
import { ToastList } from './toast-list.tsx'
import { useObservable } from './use.ts'

const COUNTERS: ReadonlyArray<readonly [name: keyof Counts, label: string]> = [
  ['requests', 'requests'],
  ['unauthorized', '401'],
  ['forbidden', '403'],
  ['refreshes', 'refreshes'],
  ['reuses', 'reuses'],
  ['logins', 'logins'],
]

const clear = async (): Promise<void> => {
  runs.clear()
  await control.act({ do: 'reset' })
}

export function Results(): ReactElement {
  const { state } = useObservable(control)
  const shown = useObservable(runs)
  return (
    <Panel title="What the server saw" className="results" aside={<Button onPress={clear}>Clear</Button>}>
      <dl className="counters">
        {COUNTERS.map(([name, label]) => (
          <div key={name} className={name === 'reuses' && state?.counts.reuses ? 'alarm' : undefined}>
            <dt>{label}</dt>
            <dd>{state?.counts[name] ?? 0}</dd>
          </div>
        ))}
      </dl>
      <ol className="runs" aria-label="Runs">
        {shown.map((run) => (
          <RunCard key={run.id} run={run} />
        ))}
        {shown.length === 0 && (
          <li className="empty">Nothing yet. Sign in as viewer; then expire the token, and call × 50.</li>
        )}
      </ol>
      {/* The end of a run is worth saying, and not each of its answers. */}
      <p className="sr" role="status">
        {summaryOf(shown.find(({ durationMs }) => durationMs !== null))}
      </p>
      <ToastList />
    </Panel>
  )
}

const summaryOf = (run: Run | undefined): string =>
  run === undefined ? '' : `${run.title}: ${run.outcomes.map(([outcome, count]) => `${count} × ${outcome}`).join(', ')}`

function RunCard({ run: { id, title, outcomes, pending, durationMs, seen, note } }: { run: Run }): ReactElement {
  return (
    <li id={`run-${id}`}>
      <div className="run">
        <h3>{title}</h3>
        <span className="took">{durationMs === null ? 'under way' : `${durationMs} ms`}</span>
      </div>
      <Side name="page">
        {outcomes.map(([outcome, count]) => (
          <Chip key={outcome} tone={toneOf(outcome)}>
            {count} × {outcome}
          </Chip>
        ))}
        {pending > 0 && <Chip tone="wait">{pending} waiting</Chip>}
        {note}
      </Side>
      {seen.length > 0 && (
        <Side name="server">
          {seen.map((line) => (
            <Chip key={JSON.stringify(line)} tone={toneOf(String(line.status))}>
              {textOf(line)}
            </Chip>
          ))}
        </Side>
      )}
    </li>
  )
}

function Side({ name, children }: { name: string; children: ReactNode }): ReactElement {
  return (
    <div className="side">
      <span>{name}</span>
      <p>{children}</p>
    </div>
  )
}

const Chip = ({ tone, children }: { tone: string; children: ReactNode }): ReactElement => (
  <span className={`chip ${tone}`}>{children}</span>
)

function textOf({ count, method, path, status, kind, credential }: SeenLine): string {
  const what = kind === 'refresh' ? 'refresh' : `${method} ${path}`
  const why = status === 401 || kind === 'refresh' ? (credential === 'valid' ? '' : ` ${credential}`) : ''
  return `${count} × ${what} ${status || 'cut'}${why}`
}

function toneOf(outcome: string): string {
  if (/^2/.test(outcome)) return 'good'
  if (/^403/.test(outcome)) return 'denied'
  if (/^401/.test(outcome)) return 'again'
  return 'bad'
}
