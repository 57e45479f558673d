/**
 * `<relatch-devtools>`. Its class is made where it is registered, so that importing this touches no DOM. It owns the element's
 * life: what it is connected to, and when it draws, once a frame at most and only while it is open and in the document.
 */
import type { AuthSession, SessionSnapshot } from '../index.ts'
import { createPanel } from './panel.ts'
import { type Recording, record } from './recording.ts'
import { CSS } from './styles.ts'
import { createTimeline } from './timeline.ts'

/** The element `<relatch-devtools>`. */
export interface RelatchDevtoolsElement extends HTMLElement {
  /** The session to show: an AuthFetch. Setting another one starts afresh. @default null */
  session: AuthSession | null
  /** Whether the panel is shown, or its top line alone; the attribute of that name. @default false */
  open: boolean
  /** How many rows are kept, from 1; the attribute of that name. @default 200 */
  max: number
}

declare global {
  interface HTMLElementTagNameMap {
    'relatch-devtools': RelatchDevtoolsElement
  }
}

const NAME = 'relatch-devtools'
const MAX = 200
/** How often rows that are under way grow, in milliseconds. */
const GROW_MS = 100
const GROW_CALMLY_MS = 1000
/** However much happens, the page has so many times as long to itself as a drawing took. */
const REST = 4

/**
 * Registers `<relatch-devtools>`, once; does nothing where it is registered already, or where there are no custom elements
 * (a server).
 *
 * @example
 * defineDevtools()
 * document.querySelector('relatch-devtools').session = api
 */
export function defineDevtools(): void {
  const { customElements } = globalThis as Partial<typeof globalThis>
  if (customElements && !customElements.get(NAME)) customElements.define(NAME, elementClass())
}

/**
 * Makes an open `<relatch-devtools>` for a session, fixed to the bottom of the window. Without its attribute `docked` it
 * takes its place in the page like any block.
 *
 * @param authFetch what createAuthFetch returned
 *
 * @example
 * import { devtools } from 'relatch/devtools'
 *
 * document.body.append(devtools(api))
 */
export function devtools(authFetch: AuthSession): HTMLElement {
  defineDevtools()
  const element = document.createElement(NAME)
  element.session = authFetch
  element.open = true
  element.setAttribute('docked', '')
  return element
}

function elementClass(): CustomElementConstructor {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(CSS)

  return class extends HTMLElement implements RelatchDevtoolsElement {
    static readonly observedAttributes = ['open', 'max']
    #timeline = createTimeline(MAX)
    readonly #panel = createPanel({
      toggle: () => {
        this.open = !this.open
      },
      clear: () => {
        this.#timeline.clear()
        this.#hurry()
      },
      change: () => this.#hurry(),
    })
    #session: AuthSession | null = null
    #recording: Recording | null = null
    #frame = 0
    #timer: ReturnType<typeof setTimeout> | undefined
    #wakeAt = Number.POSITIVE_INFINITY
    #restUntil = 0
    #drawnStatus: SessionSnapshot['status'] | undefined

    constructor() {
      super()
      const root = this.attachShadow({ mode: 'open' })
      root.adoptedStyleSheets = [sheet]
      root.append(this.#panel.element)
    }

    get session(): AuthSession | null {
      return this.#session
    }
    set session(session) {
      if (session === this.#session) return
      this.#stop()
      this.#session = session
      this.#timeline = createTimeline(this.max)
      this.#start()
    }
    get open(): boolean {
      return this.hasAttribute('open')
    }
    set open(isOpen) {
      this.toggleAttribute('open', isOpen)
    }
    get max(): number {
      const max = Math.floor(Number(this.getAttribute('max')))
      return max >= 1 ? max : MAX
    }
    set max(max) {
      this.setAttribute('max', String(max))
    }

    connectedCallback(): void {
      // Set before the element was defined: then it is a plain property, in front of ours.
      for (const name of ['session', 'open', 'max'] as const) {
        if (!Object.hasOwn(this, name)) continue
        const { [name]: value } = this
        delete (this as Partial<RelatchDevtoolsElement>)[name]
        Object.assign(this, { [name]: value })
      }
      // A page that says nothing of colour schemes gets what the user prefers; one that does is followed, whatever it says.
      const { colorScheme } = getComputedStyle(this)
      this.#panel.element.classList.toggle('auto', colorScheme === 'normal' || colorScheme === '')
      this.#start()
    }
    disconnectedCallback(): void {
      this.#stop()
    }
    attributeChangedCallback(): void {
      this.#timeline.limit(this.max)
      this.#hurry()
    }

    #start(): void {
      if (this.#session && this.isConnected)
        this.#recording ??= record(this.#session, this.#timeline, () => this.#told())
      this.#invalidate()
    }
    #stop(): void {
      this.#recording?.end()
      this.#recording = null
      cancelAnimationFrame(this.#frame)
      clearTimeout(this.#timer)
      this.#frame = 0
      this.#wakeAt = Number.POSITIVE_INFINITY
    }

    /** Collapsed, there is only the state to be right. */
    #told(): void {
      if (this.open || this.#session?.snapshot().status !== this.#drawnStatus) this.#invalidate()
    }
    #invalidate(): void {
      if (this.#frame !== 0 || !this.isConnected) return
      const restMs = this.#restUntil - performance.now()
      if (restMs > 0) this.#wakeIn(restMs)
      else this.#frame = requestAnimationFrame(() => this.#draw())
    }
    /** Somebody who has pressed something waits for no rest. */
    #hurry(): void {
      this.#restUntil = 0
      this.#invalidate()
    }
    #wakeIn(delayMs: number): void {
      const wakeAt = performance.now() + delayMs
      if (wakeAt >= this.#wakeAt) return
      clearTimeout(this.#timer)
      this.#wakeAt = wakeAt
      this.#timer = setTimeout(() => {
        this.#wakeAt = Number.POSITIVE_INFINITY
        this.#invalidate()
      }, delayMs)
    }
    #draw(): void {
      this.#frame = 0
      const snapshot = this.#session?.snapshot() ?? null
      const { open: isOpen } = this
      const [now, wallNow] = [performance.now(), Date.now()]
      this.#drawnStatus = snapshot?.status
      const tab = this.#recording?.tab() ?? ''
      this.#panel.draw({ snapshot, timeline: this.#timeline, tab, isOpen, now, wallNow })
      if (!isOpen) return
      const drawnAt = performance.now()
      this.#restUntil = drawnAt + REST * (drawnAt - now)
      this.#wakeIn(this.#stillMs(snapshot, wallNow))
    }
    /** Until something changes by itself: a bar, or the second of the countdown. */
    #stillMs(snapshot: SessionSnapshot | null, wallNow: number): number {
      const untilSecond =
        snapshot?.expiresAt === undefined ? 60_000 : (((snapshot.expiresAt - wallNow) % 1000) + 1000) % 1000 || 1000
      if (!this.#timeline.isOpen()) return untilSecond + 1
      return matchMedia('(prefers-reduced-motion: reduce)').matches ? GROW_CALMLY_MS : GROW_MS
    }
  }
}
