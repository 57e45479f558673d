import { Link, Outlet } from '@tanstack/react-router'
import { useAuthSession } from 'relatch/react'
import { api } from './api.ts'

export function Layout() {
  const { status } = useAuthSession(api)
  const isSignedIn = status === 'signed-in' || status === 'refreshing'
  return (
    <>
      <header>
        <Link to="/">Home</Link>
        <Link to="/orders">Orders</Link>
        <Link to="/reports">Reports</Link>
        <span className="session">
          {status}
          {isSignedIn ? (
            <button type="button" onClick={api.signOut}>
              Sign out
            </button>
          ) : (
            <Link to="/login">Sign in</Link>
          )}
        </span>
      </header>
      <main>
        <Outlet />
      </main>
    </>
  )
}
