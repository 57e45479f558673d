import '../../style.css'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { router } from './router.tsx'

createRoot(document.querySelector('#app') as Element).render(
  <StrictMode>
    <RouterProvider router={router} />
  </StrictMode>,
)
