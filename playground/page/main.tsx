/** Puts the playground on the page. */
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { api, toasts } from './client.ts'
import { redeemCode } from './redeem.ts'

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <App />
  </StrictMode>,
)

const complaint = await redeemCode(api)
if (complaint !== undefined) toasts.tell('Not signed in', complaint)
