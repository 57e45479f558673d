import { describeApp } from './describe-app.ts'

describeApp('svelte', { back: '401' })
