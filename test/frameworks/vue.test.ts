import { describeApp } from './describe-app.ts'

describeApp('vue', { back: '401' })
