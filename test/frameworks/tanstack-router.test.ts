import { describeApp } from './describe-app.ts'

describeApp('tanstack-router', {
  back: '401',
  // React tells of each error that a boundary shows.
  logs: /This is not for you|The API has answered 401|not redirecting again yet|The refresh failed/,
})
