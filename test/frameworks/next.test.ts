import { describeServerApp } from './describe-server-app.ts'

describeServerApp('next', {
  start: (port) => ['../node_modules/next/dist/bin/next', 'start', '--hostname', 'localhost', '--port', String(port)],
  clientFiles: '.next/static',
  login: 'in-place',
  canSetCookies: false,
})
