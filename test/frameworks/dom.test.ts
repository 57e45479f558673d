import { describeApp } from './describe-app.ts'

describeApp('dom', { back: '401' })
