import { describeServerApp } from './describe-server-app.ts'

describeServerApp('sveltekit', {
  start: () => ['build'],
  clientFiles: 'build/client',
  login: 'redirect',
  canSetCookies: true,
})
