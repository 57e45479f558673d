/** Who is signed in, and in how many tabs. */
import type { ReactElement } from 'react'
import { useAuthSession } from 'relatch/react'
import type { UserName } from '../contract.ts'
import { hrefOf, STORES } from './choices.ts'
import { api, choices, control, runs } from './client.ts'
import { logIn } from './login.ts'
import { Button, Panel, Row } from './panel.tsx'
import { CALLS_PER_TAB, callFromTabs, TABS } from './tabs.ts'
import { useObservable } from './use.ts'

const store = STORES[choices.store]
const signIn = async (user: UserName): Promise<void> => api.signIn(await logIn(user))

const eightTabs = (): Promise<void> =>
  runs.record(`${TABS} tabs × ${CALLS_PER_TAB} requests on one expired token`, async (tally) => {
    if (api.snapshot().status === 'signed-out') await signIn('viewer')
    const whole = await callFromTabs(choices.store, () => control.act({ do: 'expire' }), tally)
    return `${whole} of ${TABS} tabs have all of their answers.`
  })

export function SessionPanel(): ReactElement {
  const { status } = useAuthSession(api)
  const isOut = status === 'signed-out'
  return (
    <Panel title="Session" aside={<span className="hint">{store.hint}</span>}>
      <div className="controls alone">
        <Button isMain={isOut} onPress={() => signIn('viewer')}>
          Sign in as viewer
        </Button>
        <Button onPress={() => signIn('admin')}>
          <span className="sr">Sign in </span>as admin
        </Button>
        <Button isDisabled={isOut} onPress={() => api.signOut()}>
          Sign out
        </Button>
      </div>
      <RoleRow />
      <Row
        hint={
          store.isShared ? 'It is signed in too. Sign out there, and see it here.' : 'It knows nothing of this one.'
        }
      >
        <a className="button" href={hrefOf(choices)} target="_blank" rel="noreferrer">
          Open a second tab
        </a>
      </Row>
      <Row
        hint={
          store.isShared
            ? 'All on one expired token: one refresh for 160 requests.'
            : 'Takes a store that tabs share: choose another one above.'
        }
      >
        <Button isDisabled={!store.isShared} onPress={eightTabs}>
          {TABS} tabs × {CALLS_PER_TAB} requests
        </Button>
      </Row>
    </Panel>
  )
}

function RoleRow(): ReactElement {
  const { subject } = useAuthSession(api)
  const { state } = useObservable(control)
  const user = subject as UserName | undefined
  const isAdmin = user !== undefined && state?.roles[user].includes('admin') === true
  return (
    <Row hint={user === undefined ? 'Sign in first.' : `Counts at once: GET /admin answers ${isAdmin ? 403 : 200}.`}>
      <Button
        isDisabled={user === undefined}
        onPress={async () => user && control.act({ do: 'roles', user, isAdmin: !isAdmin })}
      >
        {isAdmin ? 'Demote my role' : 'Promote my role'}
      </Button>
    </Row>
  )
}
