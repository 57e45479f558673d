import { type LoaderFunctionArgs, useLoaderData } from 'react-router'
import { load } from './api.ts'

export const loader = ({ request: { signal } }: LoaderFunctionArgs) => load<string[]>('/api/reports', { signal })

export function Component() {
  const reports = useLoaderData<typeof loader>()
  return (
    <>
      <h1>Reports</h1>
      <ul>
        {reports.map((report) => (
          <li key={report}>{report}</li>
        ))}
      </ul>
    </>
  )
}
