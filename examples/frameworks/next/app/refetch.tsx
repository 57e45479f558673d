'use client'

import { useState } from 'react'
import { bff } from '@/lib/bff'

/** What a browser asks for goes through this app's own route, which has the session: no token gets here. */
export function Refetch() {
  const [user, setUser] = useState('')
  const ask = async () => {
    const response = await bff('/api/me')
    if (response.ok) setUser((await response.json()).user)
  }
  return (
    <button type="button" onClick={ask}>
      Who am I? <output>{user}</output>
    </button>
  )
}
