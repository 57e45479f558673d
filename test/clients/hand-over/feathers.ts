import { feathers } from '@feathersjs/feathers'
import rest, { type RestService } from '@feathersjs/rest-client'
import type { AuthFetch } from 'relatch'

interface Services {
  items: RestService<{ id: string; name: string }>
  messages: RestService<{ text: string }>
  reports: RestService
}

export const connect = (api: AuthFetch, url: string) =>
  feathers<Services>().configure(rest.default<Services>(url).fetch(api))
