/** The instruments that `relatch/otel` measures with: one set for each provider. */
import type { Counter, Histogram, MeterProvider } from '@opentelemetry/api'

export const SCOPE: string = 'relatch'
/** That of package.json, which a module for browsers cannot read; a test compares them. */
export const VERSION: string = '0.1.0'

/** Seconds: from a refresh that is quick to a person who signs in. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 300]

/** The instruments of one provider, for all instances. */
export class Meters {
  readonly refreshDuration: Histogram
  readonly waitDuration: Histogram
  readonly recoveries: Counter
  readonly denials: Counter
  readonly loginPrompts: Counter
  readonly adoptions: Counter
  readonly storeFailures: Counter
  readonly #counted = new WeakSet<object>()

  constructor(provider: MeterProvider) {
    const meter = provider.getMeter(SCOPE, VERSION)
    const seconds = (name: string, description: string): Histogram =>
      meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries: BUCKETS } })
    const count = (name: string, unit: string, description: string): Counter =>
      meter.createCounter(name, { description, unit: `{${unit}}` })
    this.refreshDuration = seconds('relatch.refresh.duration', 'Duration of refreshes, their retries included.')
    this.waitDuration = seconds(
      'relatch.wait.duration',
      'How long requests waited for something other than their answer.',
    )
    this.recoveries = count('relatch.recoveries', 'request', 'Requests that had a 401 and were sent again.')
    this.denials = count('relatch.denials', 'request', 'Requests that were denied with a 403.')
    this.loginPrompts = count('relatch.login.prompts', 'prompt', 'How often somebody was asked to log in.')
    this.adoptions = count('relatch.adoptions', 'adoption', 'How often tokens that someone else got were taken over.')
    this.storeFailures = count('relatch.store.failures', 'failure', 'How often the token store began to fail.')
  }

  /** Whether this has not been counted yet. */
  isNews(payload: object): boolean {
    const isNews = !this.#counted.has(payload)
    this.#counted.add(payload)
    return isNews
  }
}

/** Weak, and for what instances share: what happens to a session is told to each of them, and happens once. */
const metersByProvider = new WeakMap<MeterProvider, Meters>()

export function metersOf(provider: MeterProvider): Meters {
  const meters = metersByProvider.get(provider) ?? new Meters(provider)
  metersByProvider.set(provider, meters)
  return meters
}
