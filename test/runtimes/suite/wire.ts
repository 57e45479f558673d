/** What the suite and its server say to each other. Types only: both sides import it, and it imports neither. */
import type { AuthServerOptions, RefreshFault } from 'relatch/testing'

/** The origin of the API, or the other one. */
export type Place = 'home' | 'elsewhere'

/** What a path answers instead of the API; the last of a list goes on. */
export interface Answer {
  /** 0: the connection ends without one. Left out: the API answers. */
  status?: number
  headers?: Record<string, string>
  body?: string
  /** So many bytes of nothing in particular. */
  bytes?: number
  /** The body stays open behind what there is of it until the case lets this gate open. */
  hold?: string
  /** Waits until the case lets this gate open. */
  gate?: string
  /** Counts as arrived with its head, before its body has. */
  early?: boolean
}

export interface WorldOptions {
  /** As far as JSON can say it. */
  server?: Omit<AuthServerOptions, 'routes'>
  /** By path at home, or `elsewhere:/path`. */
  scripts?: Record<string, Answer[]>
}

/** A request as it arrived. Preflights are not among them. */
export interface Arrival {
  readonly place: Place
  readonly method: string
  /** Without the path of the world, and without the query. */
  readonly path: string
  readonly query: string
  readonly headers: Readonly<Record<string, string>>
  /** null: has not arrived yet. */
  readonly body: { readonly length: number; readonly sha256: string } | null
  /** null: not answered yet. */
  readonly status: number | null
}

export type ArrivalFilter = Partial<Pick<Arrival, 'place' | 'method' | 'path' | 'status'>>

export type Fault = RefreshFault
