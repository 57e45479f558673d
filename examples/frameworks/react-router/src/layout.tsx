import { NavLink, Outlet } from 'react-router'
import { useAuthSession } from 'relatch/react'
import { api } from './api.ts'

export function Layout() {
  const { status } = useAuthSession(api)
  return (
    <>
      <header>
        <NavLink to="/">Home</NavLink>
        <NavLink to="/orders">Orders</NavLink>
        <NavLink to="/reports">Reports</NavLink>
        <span className="session">
          {status}
          {status === 'signed-out' || (
            <button type="button" onClick={api.signOut}>
              Sign out
            </button>
          )}
        </span>
      </header>
      <main>
        <Outlet />
      </main>
    </>
  )
}
