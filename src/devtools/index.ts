/** The door of the devtools: re-exports only. */
export { defineDevtools, devtools, type RelatchDevtoolsElement } from './element.ts'
