/** How a panel of controls looks: a title, and rows of something to press with what to expect of it. */
import type { ReactElement, ReactNode } from 'react'
import { toasts } from './client.ts'

interface PanelProps {
  title: string
  aside?: ReactNode
  className?: string
  children: ReactNode
}

export function Panel({ title, aside, className = '', children }: PanelProps): ReactElement {
  return (
    <section className={`panel ${className}`}>
      <div className="title">
        <h2>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  )
}

export function Row({ hint, children }: { hint: ReactNode; children: ReactNode }): ReactElement {
  return (
    <div className="row">
      <div className="controls">{children}</div>
      <p className="hint">{hint}</p>
    </div>
  )
}

interface ButtonProps {
  onPress: () => Promise<unknown>
  isDisabled?: boolean
  isMain?: boolean
  children: ReactNode
}

export function Button({ onPress, isDisabled = false, isMain = false, children }: ButtonProps): ReactElement {
  const press = (): void => {
    onPress().catch((error: unknown) => toasts.tell('That did not work', error instanceof Error ? error.message : ''))
  }
  return (
    <button type="button" className={isMain ? 'main' : undefined} disabled={isDisabled} onClick={press}>
      {children}
    </button>
  )
}

interface SwitchProps {
  label: string
  isOn: boolean
  onTurn: (isOn: boolean) => Promise<unknown>
}

export function Switch({ label, isOn, onTurn }: SwitchProps): ReactElement {
  return (
    <button type="button" role="switch" className="switch" aria-checked={isOn} onClick={() => void onTurn(!isOn)}>
      <span className="track" aria-hidden="true" />
      {label}
    </button>
  )
}
