/** The API that each client meets, as a Hono app: `hc` takes its types, and its `fetch` is what answers. */
import { Hono } from 'hono'
import { validator } from 'hono/validator'
import { forbidden, LINES, type Signals, shownInParts } from './world.ts'

export const honoApp = (signals: Signals) =>
  new Hono()
    .get('/items/:id', (context) => context.json({ id: context.req.param('id'), name: 'Item 1' }))
    .post(
      '/messages',
      validator('json', (message: { text: string }) => message),
      (context) => context.json(context.req.valid('json')),
    )
    .get('/reports', () => forbidden())
    .get('/lines', (context) => context.body(shownInParts(LINES, signals)))

export type App = ReturnType<typeof honoApp>
