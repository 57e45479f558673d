/** What was told in passing. */
import type { ReactElement } from 'react'
import { toasts } from './client.ts'
import { useObservable } from './use.ts'

export function ToastList(): ReactElement {
  const shown = useObservable(toasts)
  return (
    <div className="toasts" role="status">
      {shown.map(({ id, title, text, count }) => (
        <div key={id} className="toast">
          <p>
            <strong>{count > 1 ? `${count} × ${title}` : title}</strong> {text}
          </p>
          <button type="button" aria-label={`Dismiss: ${title}`} onClick={() => toasts.dismiss(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  )
}
