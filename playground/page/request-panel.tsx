/** Calls of the API, one or fifty at once. */
import { type ReactElement, useId, useState } from 'react'
import { useAuthSession } from 'relatch/react'
import { api, control, runs } from './client.ts'
import { ENDPOINTS, type Endpoint } from './endpoints.ts'
import { Button, Panel, Row } from './panel.tsx'

const CROWD = 50
const nameOf = ({ method, path }: Endpoint): string => `${method} ${path}`

export function RequestPanel(): ReactElement {
  const id = useId()
  const isOut = useAuthSession(api).status === 'signed-out'
  const [endpoint, choose] = useState(ENDPOINTS[0] as Endpoint)
  const call = (times: number, before?: () => Promise<void>): Promise<void> => runs.call(endpoint, times, before)
  return (
    <Panel title="Requests">
      <Row hint={endpoint.hint}>
        <label className="sr" htmlFor={id}>
          Endpoint
        </label>
        <select
          id={id}
          value={nameOf(endpoint)}
          onChange={({ target }) => choose(ENDPOINTS.find((each) => nameOf(each) === target.value) ?? endpoint)}
        >
          {ENDPOINTS.map((each) => (
            <option key={nameOf(each)}>{nameOf(each)}</option>
          ))}
        </select>
      </Row>
      <Row hint="All at once, through one fetch.">
        <Button onPress={() => call(1)}>Call × 1</Button>
        <Button onPress={() => call(CROWD)}>Call × {CROWD}</Button>
      </Row>
      <Row hint="50 requests meet a 401; watch one refresh.">
        <Button isMain={!isOut} onPress={() => call(CROWD, () => control.act({ do: 'expire' }))}>
          Expire, then call × {CROWD}
        </Button>
      </Row>
    </Panel>
  )
}
