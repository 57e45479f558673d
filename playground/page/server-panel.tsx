/** What the server does to the session. */
import type { ReactElement } from 'react'
import { useAuthSession } from 'relatch/react'
import type { Switches } from '../contract.ts'
import { api, control, runs } from './client.ts'
import { Button, Panel, Row, Switch } from './panel.tsx'
import { replaySpentToken } from './thief.ts'
import { useObservable } from './use.ts'

const SWITCHES: ReadonlyArray<readonly [name: keyof Switches, label: string, hint: string]> = [
  ['down', 'Down', 'Refreshes and logins answer 503. Calls fail; nobody is signed out.'],
  ['slow', 'Slow', 'A refresh takes 2 s. Requests wait for it, together.'],
  ['rejectAll', 'Reject every token', '401 to good tokens too: three refreshes, then no more of them.'],
  ['rotation', 'Rotation', 'A refresh replaces the refresh token.'],
  ['reuseDetection', 'Reuse detection', 'A refresh token that comes twice ends its session.'],
]
const SOUND: Switches = { down: false, slow: false, rejectAll: false, rotation: true, reuseDetection: true }

export function ServerPanel(): ReactElement {
  const { state } = useObservable(control)
  const switches = state?.switches ?? SOUND
  const isSound = SWITCHES.every(([name]) => switches[name] === SOUND[name])
  return (
    <Panel
      title="Auth server"
      aside={
        <Button isDisabled={isSound} onPress={() => control.act({ do: 'heal' })}>
          Heal everything
        </Button>
      }
    >
      <Row hint="Refused from now on; the page does not know it yet.">
        <Button onPress={() => control.act({ do: 'expire' })}>Expire the token</Button>
      </Row>
      <Row hint="No refresh helps: the next request asks for a login, and waits.">
        <Button onPress={() => control.act({ do: 'revoke' })}>Revoke the session</Button>
      </Row>
      {SWITCHES.map(([name, label, hint]) => (
        <Row key={name} hint={hint}>
          <Switch label={label} isOn={switches[name]} onTurn={(isOn) => control.act({ do: 'switch', name, isOn })} />
        </Row>
      ))}
      <ThiefRow isDetected={switches.reuseDetection} />
    </Panel>
  )
}

function ThiefRow({ isDetected }: { isDetected: boolean }): ReactElement {
  const { status } = useAuthSession(api)
  const isOut = status === 'signed-out' || status === 'login-required'
  const steal = (): Promise<void> =>
    runs.record('A spent refresh token comes again', () => replaySpentToken(api, isDetected))
  return (
    <Row
      hint={
        isDetected ? 'As a thief would: the session ends.' : 'As a thief would: it is refused, the session goes on.'
      }
    >
      <Button isDisabled={isOut} onPress={steal}>
        Replay a spent token
      </Button>
    </Row>
  )
}
