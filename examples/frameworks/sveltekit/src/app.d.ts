import type { AuthFetch } from 'relatch'

declare global {
  namespace App {
    interface Locals {
      api: AuthFetch
    }
  }
}
