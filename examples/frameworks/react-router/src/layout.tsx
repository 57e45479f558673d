import { NavLink, Outlet } from 'react-router'
import { useAuthSession } from 'relatch/react'
import { api } from './api.ts'

export function Layout() {
  const { status } = useAuthSession(api)
  const isSignedIn = status === 'signed-in' || status === 'refreshing'
  return (
    <>
      <header>
        <NavLink to="/">Home</NavLink>
        <NavLink to="/orders">Orders</NavLink>
        <NavLink to="/reports">Reports</NavLink>
        <span className="session">
          {status}
          {isSignedIn ? (
            <button type="button" onClick={api.signOut}>
              Sign out
            </button>
          ) : (
            <NavLink to="/login">Sign in</NavLink>
          )}
        </span>
      </header>
      <main>
        <Outlet />
      </main>
    </>
  )
}
