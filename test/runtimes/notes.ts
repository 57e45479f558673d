/** What the runtimes do differently, and what relatch does then: the second half of docs/runtimes.md. Only what a case has shown. */
import type { Difference } from './suite/case.ts'

export interface Note {
  readonly title: string
  /** Markdown: what happens there, then what relatch does, then what to do about it. */
  readonly text: string
}

/** By `Difference.note`, in the order of the page; the letter of each is its place here. */
export const NOTES: Readonly<Record<Difference['note'], Note>> = {
  'stream-upload': {
    title: 'A stream as the body of a request',
    text: `Browsers do not stream the body of a request: Chromium refuses to over HTTP/1.1, WebKit altogether, and Firefox makes the text \`[object
ReadableStream]\` of it and sends that. With relatch such a call rejects, with a \`TypeError\` or WebKit's \`NotSupportedError\`, before
anything has arrived; an async iterable does so too. One case is beyond us: \`new Request(url, { body: stream })\` has made that text in
Firefox before relatch sees it, and that is what is sent, as by a bare fetch. Send a Blob.`,
  },
  'stream-requests': {
    title: 'A Request made from a stream, beyond `replayLimitBytes`',
    text: `Nothing tells such a Request from one with any other body there. So that no body in memory goes without its replay, relatch keeps
all of it, and sends all of it again. Where a stream is long, pass it as \`init.body\`: then \`replayLimitBytes\` holds.`,
  },
  'form-requests': {
    title: 'A Request made from a FormData that has a file in it',
    text: `WebKit can send it and not read it, whoever asks. With a good token it is sent as ever; after a 401 it is not sent again, and the 401
comes back with the event \`not-replayed\`, the refresh done. A FormData that is passed as \`init.body\` is sent again.`,
  },
  'sent-again': {
    title: 'A connection that ends before the answer',
    text: `A platform may send a request again by itself when a connection that it has used before ends without an answer, a POST too. A token
request whose answer was lost then reaches the server twice, with the same refresh token; a server that detects reuse ends the session,
and relatch, which has asked once, asks for a login. A server that answers a spent token for some seconds (\`graceMs\` of the testing
server) costs nothing then: the call gets its answer.`,
  },
  redirects: {
    title: 'Redirects of a script’s own',
    text: `A browser shows no script where a redirect leads: \`redirect: 'manual'\` gives an opaque response with status 0. \`Authorization\` does
not cross origins there, so bearer tokens follow redirects as ever. A scheme with other headers (an API key, DPoP, CSRF) cannot have them
dropped on the way: any redirect of its requests is a \`TypeError\`, within the origin too, and the other origin hears of nothing.`,
  },
  'forbidden-headers': {
    title: 'Headers that a script may not set',
    text: `\`Cookie\`, \`Origin\` and some more are the browser's own: what a caller sets is left out, of the first send and of the replay, and the
rest of the call is as ever.`,
  },
  page: {
    title: 'An AuthFetch without `baseUrl` and `origins`',
    text: `A page has an origin of its own, and there nothing need be said: relative URLs resolve against the document, and its origin alone gets
credentials. Where there is no page, \`createAuthFetch\` throws \`ERR_ORIGINS_REQUIRED\`.`,
  },
  online: {
    title: 'Coming back online',
    text: `After a second failed refresh in a row calls fail fast for some seconds (\`retryAfterMs\`). In a page, \`online\` and a page that becomes
visible end that pause at once. Where there is no document nobody says so, and the pause ends by itself, after six seconds at first.`,
  },
  reentry: {
    title: 'A refresher that calls the AuthFetch after an await',
    text: `Node, Bun, Deno and workerd with Node's built-ins know such a call for what it is (AsyncLocalStorage). Elsewhere it is known until the
refresher's first \`await\`, and afterwards where it carries the \`signal\` of its context. A call that does neither waits for the refresh
that waits for it, until \`refreshTimeoutMs\` ends both. Use the \`fetch\` of the context.`,
  },
  'early-rejections': {
    title: 'Rejections that are reported too early',
    text: `When a caller leaves while a 401 waits for its refresh, workerd reports what the caller has left with, mostly an \`AbortError\`, as a
rejection that nobody handled, though it is handled a moment later; so it does while an answer streams, that of a bare fetch too. The calls
are as ever; with the newest compatibility date nothing is reported.`,
  },
}
