/**
 * `relatch/otel`: the events of an AuthFetch as OpenTelemetry spans and metrics. It only listens: it never sends, never holds a
 * request up, and shows nothing that the events do not hold.
 */
import {
  type Attributes,
  type Context,
  context,
  type MeterProvider,
  metrics,
  type Span,
  type SpanContext,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import type { AuthEvents, AuthSession, RequestStage, RequestSummary } from '../index.ts'
import { failureOf, methodOf, type Refreshed, refreshAttributes, requestAttributes } from './otel-attributes.ts'
import { type Meters, metersOf, SCOPE, VERSION } from './otel-meters.ts'

export interface InstrumentationOptions {
  /**
   * Where the spans go.
   *
   * @default the global one, whenever it was registered
   */
  tracerProvider?: TracerProvider | undefined
  /**
   * Where the metrics go.
   *
   * @default the global one, whenever it was registered
   */
  meterProvider?: MeterProvider | undefined
}

/**
 * Makes spans and metrics of what an AuthFetch does: a span for each request, one for each time that it waits, and one for each
 * refresh. Returns what ends it, and with it the spans that are open.
 *
 * @param session an AuthFetch, or anything else with its `on`
 * @throws TypeError `ERR_AUTH_FETCH`
 * @see https://opentelemetry.io/docs/specs/semconv/
 *
 * @example
 * const end = instrumentAuthFetch(api)
 */
export function instrumentAuthFetch(
  session: Pick<AuthSession, 'on'>,
  options: InstrumentationOptions = {},
): () => void {
  if (typeof session?.on !== 'function') {
    throw Object.assign(new TypeError('Expected an AuthFetch'), { code: 'ERR_AUTH_FETCH' })
  }
  const { tracerProvider, meterProvider } = { __proto__: null, ...options } as InstrumentationOptions
  const spans = new Spans(tracerProvider)
  // Asked for at each measurement: instruments of a provider that came before the SDK's would never count.
  const meters = (): Meters => metersOf(meterProvider ?? metrics.getMeterProvider())
  /** For what all instances on one store are told: the same object, and to be counted once. */
  const ofSession =
    <P extends object>(count: (payload: P) => void) =>
    (payload: P): void => {
      if (meters().isNews(payload)) count(payload)
    }

  const onRefresh = ofSession((told: Refreshed) =>
    meters().refreshDuration.record(told.durationMs / 1000, refreshAttributes(told)),
  )
  const onLogin = (request: RequestSummary, reason: string): void => {
    meters().loginPrompts.add(1, { 'relatch.login.reason': reason })
    spans.note(request, { 'relatch.login.reason': reason })
  }
  const endings = [
    session.on('request', (told) => {
      const waited = spans.advance(told)
      if (waited) meters().waitDuration.record(waited.seconds, { 'relatch.waits_for': waited.waitsFor })
    }),
    ...(['refreshed', 'refresh-failed'] as const).map((event) =>
      session.on(event, (told) => {
        spans.refresh(told)
        onRefresh(told)
      }),
    ),
    session.on('recovered', ({ status }) => meters().recoveries.add(1, { 'http.response.status_code': status })),
    session.on('denied', ({ request, reason }) => {
      meters().denials.add(1, { 'relatch.denial.reason': reason })
      spans.note(request, { 'relatch.denial.reason': reason })
    }),
    session.on('login-required', ({ request, reason }) => onLogin(request, reason)),
    session.on('step-up', ({ request }) => onLogin(request, 'step-up')),
    session.on('not-replayed', ({ request }) => spans.note(request, { 'relatch.not_replayed': true })),
    session.on(
      'adopted',
      ofSession(() => meters().adoptions.add(1)),
    ),
    session.on(
      'store-failed',
      ofSession(({ operation, reason }: AuthEvents['store-failed']) =>
        meters().storeFailures.add(1, { 'relatch.store.operation': operation, 'error.type': reason }),
      ),
    ),
  ]
  return () => {
    for (const end of endings) end()
    spans.end()
  }
}

type WaitsFor = Extract<RequestStage, { stage: 'waiting' }>['waitsFor']

/** A request under way. */
interface Open {
  readonly span: Span
  /** Where it was called from. */
  readonly from: Context
  sends: number
  wait: { readonly span: Span; readonly waitsFor: WaitsFor; readonly startedAt: number } | null
}

/** The spans of one instance. */
class Spans {
  readonly #tracer: Tracer
  /** The span of each refresh that any instance was told of. */
  readonly #refreshSpans: WeakMap<Refreshed, SpanContext>
  /** By what their events have in common; from the first stage of a call to its last. */
  readonly #open = new Map<RequestSummary, Open>()

  constructor(provider: TracerProvider = trace.getTracerProvider()) {
    // A tracer that was had from the global provider before the SDK's was registered goes on with that one.
    this.#tracer = provider.getTracer(SCOPE, VERSION)
    this.#refreshSpans = refreshSpansOf(provider)
  }

  /** Takes a request one stage further; returns the wait that this has ended. */
  advance(told: AuthEvents['request']): { waitsFor: WaitsFor; seconds: number } | null {
    const request = this.#open.get(told.request) ?? this.#begin(told)
    if (request === null) return null
    switch (told.stage) {
      case 'sent':
        request.sends = told.sends
        return null
      case 'answered':
        return null
      case 'waiting':
        request.wait = this.#wait(request, told.waitsFor)
        return null
      case 'resumed': {
        const { wait } = request
        request.wait = null
        wait?.span.end()
        return wait && { waitsFor: wait.waitsFor, seconds: (performance.now() - wait.startedAt) / 1000 }
      }
      case 'ended':
        request.span.setAttribute('http.response.status_code', told.status)
        this.#finish(told.request, request, told.status < 400 ? null : String(told.status))
        return null
      case 'failed':
        this.#finish(told.request, request, failureOf(told))
        return null
    }
  }

  /** What is known of a request beyond its stages. */
  note(request: RequestSummary, attributes: Attributes): void {
    this.#open.get(request)?.span.setAttributes(attributes)
  }

  /** One span for everyone who waits; told once it is over. */
  refresh(told: Refreshed): void {
    const waiting = [...this.#open.values()].filter(({ wait }) => wait?.waitsFor === 'refresh')
    // Another instance on the same store may have been told already.
    const spanContext = this.#refreshSpans.get(told) ?? this.#refreshed(told, waiting)
    this.#refreshSpans.set(told, spanContext)
    for (const { wait } of waiting) wait?.span.addLink({ context: spanContext })
  }

  end(): void {
    for (const [summary, request] of this.#open) this.#finish(summary, request, null)
  }

  /** Null where the call was under way before anybody here listened. */
  #begin(told: AuthEvents['request']): Open | null {
    const isFirst = told.stage === 'sent' ? told.sends === 1 : told.stage === 'waiting'
    if (!isFirst) return null
    const from = context.active()
    const attributes = requestAttributes(told.request)
    const span = this.#tracer.startSpan(`relatch ${methodOf(told.request)}`, { attributes }, from)
    const request: Open = { span, from, sends: 0, wait: null }
    this.#open.set(told.request, request)
    return request
  }

  #wait({ span, from }: Open, waitsFor: WaitsFor): Open['wait'] {
    const attributes = { 'relatch.waits_for': waitsFor }
    const waiting = this.#tracer.startSpan(`relatch wait ${waitsFor}`, { attributes }, trace.setSpan(from, span))
    return { span: waiting, waitsFor, startedAt: performance.now() }
  }

  #refreshed(told: Refreshed, waiting: readonly Open[]): SpanContext {
    const from = context.active()
    // The event comes from where the refresh was started: below the first request from there, where one has started it.
    const starter = waiting.find((request) => trace.getSpan(request.from) === trace.getSpan(from))
    const endedAt = Date.now()
    const attributes = { ...refreshAttributes(told), 'relatch.refresh.attempts': told.attempts }
    const links = waiting.map(({ span }) => ({ context: span.spanContext() }))
    const startTime = new Date(endedAt - told.durationMs)
    const parent = starter ? trace.setSpan(from, starter.span) : from
    const span = this.#tracer.startSpan('relatch refresh', { attributes, links, startTime }, parent)
    if ('verdict' in told) {
      if (told.retryAfterMs !== undefined) span.setAttribute('relatch.refresh.retry_after', told.retryAfterMs / 1000)
      span.setStatus({ code: SpanStatusCode.ERROR })
    }
    span.end(new Date(endedAt))
    return span.spanContext()
  }

  #finish(summary: RequestSummary, { span, wait, sends }: Open, errorType: string | null): void {
    this.#open.delete(summary)
    wait?.span.end()
    if (sends > 1) span.setAttribute('http.request.resend_count', sends - 1)
    if (errorType !== null) span.setAttribute('error.type', errorType).setStatus({ code: SpanStatusCode.ERROR })
    span.end()
  }
}

/** For what instances share: a refresh is told to each of them, and happens once. */
const refreshSpansByProvider = new WeakMap<TracerProvider, WeakMap<Refreshed, SpanContext>>()

function refreshSpansOf(provider: TracerProvider): WeakMap<Refreshed, SpanContext> {
  const refreshSpans = refreshSpansByProvider.get(provider) ?? new WeakMap<Refreshed, SpanContext>()
  refreshSpansByProvider.set(provider, refreshSpans)
  return refreshSpans
}
