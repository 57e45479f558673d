import { createRootRoute, createRoute, createRouter } from '@tanstack/react-router'
import { load } from './api.ts'
import { Failure } from './failure.tsx'
import { Home } from './home.tsx'
import { Layout } from './layout.tsx'
import { Login } from './login.tsx'
import { Orders } from './orders.tsx'
import { Reports } from './reports.tsx'

const root = createRootRoute({ component: Layout })

const home = createRoute({ getParentRoute: () => root, path: '/', component: Home })

export const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: ({ returnTo }): { returnTo?: unknown } => ({ returnTo }),
  component: Login,
})

export const orders = createRoute({
  getParentRoute: () => root,
  path: '/orders',
  loader: async ({ abortController: { signal } }) => {
    const [me, items] = await Promise.all([
      load<{ name: string }>('/api/me', { signal }),
      load<string[]>('/api/orders', { signal }),
    ])
    return { me, items }
  },
  component: Orders,
})

export const reports = createRoute({
  getParentRoute: () => root,
  path: '/reports',
  loader: ({ abortController: { signal } }) => load<string[]>('/api/reports', { signal }),
  component: Reports,
})

export const router = createRouter({
  routeTree: root.addChildren([home, login, orders, reports]),
  defaultErrorComponent: Failure,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
