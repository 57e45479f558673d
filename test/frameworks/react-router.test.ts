import { describeApp } from './describe-app.ts'

describeApp('react-router', { changesUrl: 'last' })
