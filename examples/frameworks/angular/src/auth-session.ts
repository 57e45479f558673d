import { DestroyRef, inject, type Signal, signal } from '@angular/core'
import type { SessionSnapshot } from 'relatch'
import { API } from './api'

/** The session as a signal, for as long as what asks for it is there. */
export function authSession(): Signal<SessionSnapshot> {
  const { snapshot, subscribe } = inject(API)
  const session = signal(snapshot())
  inject(DestroyRef).onDestroy(subscribe(() => session.set(snapshot())))
  return session.asReadonly()
}
