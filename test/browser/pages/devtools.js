// A page with the devtools on it: the kit, and functions that show them and read what they show. Does nothing until it is called.
import './kit.js'
import { defineDevtools, devtools } from 'relatch/devtools'

Object.assign(globalThis, { defineDevtools, devtools })

// WebKitWebDriver never shows a tab, and what nobody sees gets no frames.
if (document.visibilityState === 'hidden') {
  const { setTimeout: begin, clearTimeout: cancel } = globalThis
  globalThis.requestAnimationFrame = (task) => begin(() => task(performance.now()), 16)
  globalThis.cancelAnimationFrame = (id) => cancel(id)
}

/** Makes `api`, and `panel` that shows it. Whoever has to sign in is waited for: `api.signIn` is what resumes a request. */
globalThis.showDevtools = (store = 'sharedTabs') => {
  globalThis.openSession(store, {
    onPermissionDenied: () => new Promise((resolve) => setTimeout(resolve)),
    onLoginRequired: () => new Promise(() => {}),
  })
  globalThis.panel = devtools(globalThis.api)
  document.body.append(globalThis.panel)
}

const rowsIn = () => [...globalThis.panel.shadowRoot.querySelectorAll('[aria-level]')]

/** `GET /me 401 → 200 [rejected waits replay]`, a line a row; a fold has its thin lines counted. A lock may have taken a moment. */
const lineOf = (row) => {
  const [method, name, outcome] = [...row.children].map((cell) => cell.textContent)
  const bars = [...row.querySelectorAll('.bar')].map(({ className }) => className.replace('bar ', ''))
  const shown =
    row.ariaExpanded === null ? bars.join(' ').replace(/^lock (?=refresh|failed)/, '') : `${bars.length} lines`
  return `${method} ${name} ${outcome} [${shown}]`.trim()
}

globalThis.rows = () => rowsIn().map(lineOf)

/** The element of the first row that has this text. */
globalThis.rowOf = (text) => rowsIn().find((row) => lineOf(row).includes(text))

const PATIENCE_MS = 10_000

/** Resolves with what `read` reads, once that is what is expected, or when it has not become so for long enough. */
globalThis.becomes = (read, expected) =>
  new Promise((resolve) => {
    const wanted = JSON.stringify(expected)
    const startedAt = performance.now()
    const look = () => {
      const value = read()
      if (JSON.stringify(value) !== wanted && performance.now() - startedAt < PATIENCE_MS) return setTimeout(look, 10)
      resolve(value)
    }
    look()
  })

/** The same for the rows. */
globalThis.rowsBecome = (expected) => globalThis.becomes(globalThis.rows, expected)

globalThis.inside = (selector) => globalThis.panel.shadowRoot.querySelector(selector)

/** The button of that name. */
globalThis.buttonOf = (name) =>
  [...globalThis.panel.shadowRoot.querySelectorAll('button')].find(
    (button) => (button.ariaLabel ?? button.textContent) === name,
  )

/** Everything that the element has in it, attributes too. */
globalThis.markup = () => globalThis.panel.outerHTML + globalThis.panel.shadowRoot.innerHTML

/** Resolves after two frames: what was to be drawn has been. */
globalThis.drawn = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))

/** Puts `name` in place so that what it returned and was not ended yet stands in the set. */
globalThis.pending = (start, end) => {
  const running = new Set()
  const [begin, cancel] = [globalThis[start], globalThis[end]]
  globalThis[start] = (task, ...rest) => {
    const id = begin(
      (...args) => {
        running.delete(id)
        task(...args)
      },
      ...rest,
    )
    running.add(id)
    return id
  }
  globalThis[end] = (id) => {
    running.delete(id)
    cancel(id)
  }
  return running
}

/** A session that does nothing but be listened to. */
globalThis.silentSession = () => {
  const listeners = new Set()
  const add = (listener) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }
  const snapshot = Object.freeze({ status: 'signed-in', expiresAt: Date.now() + 60_000 })
  return { listeners, on: (_event, listener) => add(listener), subscribe: add, snapshot: () => snapshot }
}

/** The least contrast between a text in the panel and what is behind it, and where that is; WCAG 2.2, 1.4.3. */
globalThis.leastContrast = () => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true })
  const paint = (colors) => {
    canvas.clearRect(0, 0, 1, 1)
    for (const color of colors) {
      canvas.fillStyle = color
      canvas.fillRect(0, 0, 1, 1)
    }
    return [...canvas.getImageData(0, 0, 1, 1).data]
  }
  const luminance = ([red, green, blue]) =>
    [red, green, blue]
      .map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
      .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0)
  const behind = (element) => {
    const colors = []
    for (let each = element; each; each = each.parentElement) colors.unshift(getComputedStyle(each).backgroundColor)
    return colors
  }
  let least = { contrast: 21, where: '' }
  const walker = document.createTreeWalker(globalThis.panel.shadowRoot, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const { parentElement: element, data } = walker.currentNode
    if (data.trim() === '' || !element.checkVisibility()) continue
    const colors = behind(element)
    const [one, other] = [paint(colors), paint([...colors, getComputedStyle(element).color])].map(luminance)
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
    if (contrast < least.contrast)
      least = { contrast, where: `${element.tagName}.${element.parentElement?.className}: ${data}` }
  }
  return least
}
