import { describeApp } from './describe-app.ts'

describeApp('angular', { back: 'login' })
