import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Received, RequestsStatus } from '../cloud-foundry/staging-requests.js'

/** Whether staging requests come from NATS, and how many there are. */
export function measureTasks(registry: Registry, statusOf: () => RequestsStatus): void {
  const registers = [registry]
  new Gauge({
    name: 'stagerd_cloud_foundry_ready',
    help: '1 if staging requests come from NATS; `stagectl node status` says why not',
    registers,
    collect() {
      this.set(statusOf().fault === undefined ? 1 : 0)
    },
  })
  new Gauge({
    name: 'stagerd_cloud_foundry_tasks',
    help: 'Staging requests that are under way, and those that wait for one of them to end',
    labelNames: ['state'],
    registers,
    collect() {
      const { active, waiting } = statusOf()
      this.set({ state: 'active' }, active)
      this.set({ state: 'waiting' }, waiting)
    },
  })
}

/** Returns what is to be called for each request that is received. */
export function countRequests(registry: Registry): (one: Received) => void {
  const counter = new Counter({
    name: 'stagerd_cloud_foundry_requests_total',
    help: 'Staging requests of Cloud Foundry: accepted, refused with an answer, malformed, or lost because they could not be recorded',
    labelNames: ['result'],
    registers: [registry],
  })
  const unrecorded = new Histogram({
    name: 'stagerd_cloud_foundry_unrecorded_seconds',
    help: 'From the arrival of a staging request until it was recorded: it would have been lost with the daemon',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    registers: [registry],
  })
  for (const result of ['accepted', 'refused', 'malformed', 'lost'] as const) counter.inc({ result }, 0)
  return ({ result, unrecordedMs }) => {
    counter.inc({ result })
    if (unrecordedMs !== undefined) unrecorded.observe(unrecordedMs / 1000)
  }
}
