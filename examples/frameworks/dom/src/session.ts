import { api } from './api.ts'

/** Shows the session in an element; returns what ends that. */
export function showSession(element: HTMLElement): () => void {
  const status = document.createTextNode('')
  const signOut = document.createElement('button')
  signOut.textContent = 'Sign out'
  signOut.addEventListener('click', api.signOut)
  element.append(status, signOut)

  const show = () => {
    status.data = api.snapshot().status
    signOut.hidden = status.data === 'signed-out'
  }
  show()
  return api.subscribe(show)
}
