import { onActivated, type ShallowRef, shallowRef } from 'vue'
import { load } from './api.ts'

/** What the API says at a path, asked again whenever the page is shown. For pages in a <KeepAlive>. */
export function useLoaded<T>(path: string) {
  const data: ShallowRef<T | undefined> = shallowRef()
  const reload = async () => {
    data.value = await load<T>(path)
  }
  // A hook that fails is told to onErrorCaptured.
  onActivated(reload)
  return { data, reload }
}
