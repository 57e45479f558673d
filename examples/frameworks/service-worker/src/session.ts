import { api } from './api.ts'

/** Shows the session in an element; returns what ends that. */
export function showSession(element: HTMLElement): () => void {
  const status = document.createTextNode('')
  const signOut = document.createElement('button')
  signOut.textContent = 'Sign out'
  signOut.addEventListener('click', api.signOut)
  const signIn = document.createElement('a')
  signIn.textContent = 'Sign in'
  signIn.href = '/login'
  element.append(status, signOut, signIn)

  const show = () => {
    status.data = api.snapshot().status
    signIn.hidden = ['signed-in', 'refreshing'].includes(status.data)
    signOut.hidden = !signIn.hidden
  }
  show()
  return api.subscribe(show)
}
