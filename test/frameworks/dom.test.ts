import { describeApp } from './describe-app.ts'

describeApp('dom', { changesUrl: 'first' })
