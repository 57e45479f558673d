/** OpenTelemetry's SDK with exporters that keep everything in memory, and what a test asks of them. */
import { type Attributes, SpanStatusCode } from '@opentelemetry/api'
import {
  AggregationTemporality,
  type DataPoint,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'

/** Longer than any test: metrics are collected when a test asks for them. */
const NEVER_MS = 2 ** 30

export interface Telemetry extends AsyncDisposable {
  readonly tracerProvider: TracerProvider
  readonly meterProvider: MeterProvider
  /** The spans that have ended, in that order; with a name, those of that name. */
  spans(name?: string): ReadableSpan[]
  /** The only span of that name. */
  span(name: string): ReadableSpan
  /** What has been measured so far, by metric. */
  metrics(): Promise<Record<string, { unit: string; points: Array<{ attributes: Attributes; value: number }> }>>
}

export function telemetry(): Telemetry {
  const spanExporter = new InMemorySpanExporter()
  const tracerProvider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spanExporter })] })
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const meterProvider = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: NEVER_MS })],
  })
  const spans = (name?: string): ReadableSpan[] =>
    spanExporter.getFinishedSpans().filter((span) => name === undefined || span.name === name)
  return {
    tracerProvider,
    meterProvider,
    spans,
    span(name) {
      const [span, ...others] = spans(name)
      if (!span || others.length > 0) {
        throw new Error(`Expected one span ${name} among: ${spans().map((each) => each.name)}`)
      }
      return span
    },
    async metrics() {
      exporter.reset()
      await meterProvider.forceFlush()
      const collected = exporter
        .getMetrics()
        .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((each) => each.metrics))
      return Object.fromEntries(
        collected.map(({ descriptor, dataPoints }) => {
          const points = (dataPoints as Array<DataPoint<number | Histogram>>).map(({ attributes, value }) => ({
            attributes,
            value: typeof value === 'number' ? value : value.count,
          }))
          return [descriptor.name, { unit: descriptor.unit, points }]
        }),
      )
    },
    async [Symbol.asyncDispose]() {
      await tracerProvider.shutdown()
      await meterProvider.shutdown()
    },
  }
}

/** What a backend would show of a span, without times and ids. */
export function shown({ name, attributes, status }: ReadableSpan): {
  name: string
  attributes: Attributes
  isError: boolean
} {
  return { name, attributes, isError: status.code === SpanStatusCode.ERROR }
}

export const idOf = (span: ReadableSpan): string => span.spanContext().spanId
export const parentOf = (span: ReadableSpan): string | undefined => span.parentSpanContext?.spanId
export const linksOf = (span: ReadableSpan): string[] => span.links.map(({ context }) => context.spanId)

/** Milliseconds since 1970. */
export const startOf = ({ startTime: [seconds, nanoseconds] }: ReadableSpan): number =>
  seconds * 1e3 + nanoseconds / 1e6
export const durationOf = ({ duration: [seconds, nanoseconds] }: ReadableSpan): number =>
  seconds * 1e3 + nanoseconds / 1e6
