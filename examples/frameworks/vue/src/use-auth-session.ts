import type { AuthFetch, SessionSnapshot } from 'relatch'
import { onScopeDispose, type ShallowRef, shallowRef } from 'vue'

export function useAuthSession({ subscribe, snapshot }: AuthFetch): Readonly<ShallowRef<SessionSnapshot>> {
  const session = shallowRef(snapshot())
  const end = subscribe(() => {
    session.value = snapshot()
  })
  onScopeDispose(end)
  return session
}
