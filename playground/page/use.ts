/** The two hooks of the page. */
import { useEffect, useState, useSyncExternalStore } from 'react'
import type { Observable } from './observable.ts'

export const useObservable = <T>({ subscribe, snapshot }: Observable<T>): T =>
  useSyncExternalStore(subscribe, snapshot, snapshot)

/** The time now, a few times a second while `isNeeded`. */
export function useNow(isNeeded: boolean): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (!isNeeded) return
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), 250)
    return () => clearInterval(timer)
  }, [isNeeded])
  return now
}
