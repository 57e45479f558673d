import { createBrowserRouter } from 'react-router'
import { Failure } from './failure.tsx'
import { Home } from './home.tsx'
import { Layout } from './layout.tsx'
import { Login } from './login.tsx'
import * as orders from './orders.tsx'
import * as reports from './reports.tsx'

export const router = createBrowserRouter([
  {
    element: <Layout />,
    hydrateFallbackElement: <main>Loading…</main>,
    children: [
      {
        errorElement: <Failure />,
        children: [
          { index: true, element: <Home /> },
          { path: 'login', element: <Login /> },
          { path: 'orders', ...orders },
          { path: 'reports', ...reports },
        ],
      },
    ],
  },
])
