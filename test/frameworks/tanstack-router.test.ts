import { describeApp } from './describe-app.ts'

describeApp('tanstack-router', {
  back: '401',
  // React tells of each error that a boundary shows.
  logs: /The API has said no|The API has answered 401|not redirecting again yet|The refresh failed/,
})
