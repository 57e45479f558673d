import '../../style.css'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { RouterProvider } from 'react-router/dom'
import { router } from './router.tsx'

createRoot(document.querySelector('#app') as Element).render(
  <StrictMode>
    <RouterProvider router={router} />
  </StrictMode>,
)
