/** The three things that the devtools do to a document. Text goes in as text, never as markup; no `style` attribute is written. */

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

/** Writes where that changes something: a write that changes nothing still costs a layout, and a selection. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** The same for an attribute; null takes it away. */
export function mark(element: Element, name: string, value: string | null): void {
  if (element.getAttribute(name) === value) return
  if (value === null) element.removeAttribute(name)
  else element.setAttribute(name, value)
}
