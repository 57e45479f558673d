import { describeServerApp } from './describe-server-app.ts'

describeServerApp('nuxt', {
  start: () => ['.output/server/index.mjs'],
  clientFiles: '.output/public',
  login: 'redirect',
  canSetCookies: true,
})
