import { reports } from './router.tsx'

export function Reports() {
  return (
    <>
      <h1>Reports</h1>
      <ul>
        {reports.useLoaderData().map((report) => (
          <li key={report}>{report}</li>
        ))}
      </ul>
    </>
  )
}
