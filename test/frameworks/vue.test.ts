import { describeApp } from './describe-app.ts'

describeApp('vue', { changesUrl: 'first' })
