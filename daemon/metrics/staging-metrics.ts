import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { CAUSES, type Staging } from '../model/staging.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import type { EndedStep } from '../traces/staging-traces.js'

const STAGING_BUCKETS = [1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600]
const WAIT_BUCKETS = [0.1, 1, 5, 30, 60, 300, 1800, 7200]
const STEP_BUCKETS = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60]

export interface StagingMetricsParts {
  readonly registry: Registry
  readonly ledger: Pick<StagingLedger, 'counts'>
  /** UUID of this node. */
  readonly node: string
  /** Full names of the pipelines that ship with stagerd. Those of users would add time series without end. */
  readonly shipped: readonly string[]
  readonly queue: { readonly limit: number; readonly draining: boolean }
}

/** What stagings do: how many, how long, how they end. */
export class StagingMetrics {
  readonly #names: ReadonlyMap<string, string>
  readonly #ended: Counter<'state' | 'cause' | 'pipeline'>
  readonly #reused: Counter<'pipeline'>
  readonly #seconds: Histogram<'pipeline'>
  readonly #wait: Histogram
  readonly #steps: Histogram<'step'>

  constructor({ registry, ledger, node, shipped, queue }: StagingMetricsParts) {
    const registers = [registry]
    this.#names = new Map(shipped.map((fqn) => [fqn, fqn.slice(fqn.lastIndexOf(':') + 1)]))
    this.#ended = new Counter({
      name: 'stagerd_stagings_ended_total',
      help: 'Stagings that have ended, by their state, the cause of a failure, and the shipped pipeline, or other',
      labelNames: ['state', 'cause', 'pipeline'],
      registers,
    })
    this.#reused = new Counter({
      name: 'stagerd_stagings_reused_total',
      help: 'Stagings that an earlier result has answered, without a launch',
      labelNames: ['pipeline'],
      registers,
    })
    this.#seconds = new Histogram({
      name: 'stagerd_staging_duration_seconds',
      help: 'From the admission of a staging to its success',
      labelNames: ['pipeline'],
      buckets: STAGING_BUCKETS,
      registers,
    })
    this.#wait = new Histogram({
      name: 'stagerd_staging_wait_seconds',
      help: 'From the submission of a staging that has ended to its admission',
      buckets: WAIT_BUCKETS,
      registers,
    })
    this.#steps = new Histogram({
      name: 'stagerd_launch_step_duration_seconds',
      help: 'Steps in the lifecycle of the container of a launch',
      labelNames: ['step'],
      buckets: STEP_BUCKETS,
      registers,
    })
    new Gauge({
      name: 'stagerd_stagings',
      help: 'Stagings that have not ended: running ones of this node; queued ones, and interrupted ones that go on at the next node with a free slot, of all nodes that share its database',
      labelNames: ['state'],
      registers,
      async collect() {
        const counts = await ledger.counts(node)
        for (const state of ['queued', 'interrupted', 'running'] as const) this.set({ state }, counts[state])
      },
    })
    new Gauge({
      name: 'stagerd_oldest_queued_staging_seconds',
      help: 'How long the oldest queued staging of all nodes that share the database has waited; 0 if none is queued',
      registers,
      async collect() {
        const { oldestQueuedAt: oldest } = await ledger.counts(node)
        this.set(oldest === undefined ? 0 : Math.max(0, Date.now() - Date.parse(oldest)) / 1000)
      },
    })
    new Gauge({
      name: 'stagerd_stagings_limit',
      help: 'How many stagings this node runs at once',
      registers,
      collect() {
        this.set(queue.limit)
      },
    })
    new Gauge({
      name: 'stagerd_draining',
      help: '1 while this node admits no queued staging',
      registers,
      collect() {
        this.set(queue.draining ? 1 : 0)
      },
    })
    this.#beginAtZero()
  }

  /** The first one is an increase, too, which Prometheus does not see in a series that begins with it. */
  #beginAtZero(): void {
    for (const pipeline of [...this.#names.values(), 'other']) {
      for (const state of ['succeeded', 'cancelled']) this.#ended.inc({ state, cause: 'none', pipeline }, 0)
      for (const cause of CAUSES) this.#ended.inc({ state: 'failed', cause, pipeline }, 0)
      this.#reused.inc({ pipeline }, 0)
      this.#seconds.zero({ pipeline })
    }
  }

  /** For `observeEnds`. */
  ended({ state, failure, pipelineFqn, reused, submittedAt, startedAt, endedAt }: Staging): void {
    const pipeline = this.#names.get(pipelineFqn) ?? 'other'
    this.#ended.inc({ state, cause: failure?.cause ?? 'none', pipeline })
    if (reused !== undefined) this.#reused.inc({ pipeline })
    if (startedAt === undefined) return
    this.#wait.observe(secondsBetween(submittedAt, startedAt))
    if (state === 'succeeded' && endedAt !== undefined)
      this.#seconds.observe({ pipeline }, secondsBetween(startedAt, endedAt))
  }

  /** For the steps of launches. */
  step({ step, milliseconds }: EndedStep): void {
    this.#steps.observe({ step }, milliseconds / 1000)
  }
}

/** Clocks can be set back. */
function secondsBetween(from: string, to: string): number {
  return Math.max(0, Date.parse(to) - Date.parse(from)) / 1000
}
