import { Counter, Gauge, type Registry } from 'prom-client'
import type { Releases } from '../staging/releases.js'
import { PREPARED_OUTCOMES, type PreparedLaunches } from '../staging/prepared-launches.js'

export interface PreparedMetricsParts {
  readonly registry: Registry
  readonly prepared: Pick<PreparedLaunches, 'count' | 'memoryBytes' | 'outcomes'>
  readonly releases: Pick<Releases, 'count'>
}

/**
 * What of launches is off their way: containers that were created ahead, how many wait, what they take, and what becomes of
 * them; and what is being removed.
 */
export function measurePrepared({ registry, prepared, releases }: PreparedMetricsParts): void {
  const registers = [registry]
  new Gauge({
    name: 'stagerd_launches_being_removed',
    help: 'Launches that have ended, and of which something is still on the host',
    registers,
    collect() {
      this.set(releases.count)
    },
  })
  new Gauge({
    name: 'stagerd_prepared_containers',
    help: 'Containers that were created ahead, and wait for a launch',
    registers,
    collect() {
      this.set(prepared.count)
    },
  })
  new Gauge({
    name: 'stagerd_prepared_containers_memory_bytes',
    help: 'Memory of their control groups, as it was seen last; what the Engine has for each is not in it',
    registers,
    collect() {
      this.set(prepared.memoryBytes)
    },
  })
  new Counter({
    name: 'stagerd_prepared_containers_ended_total',
    help: 'What became of containers that were created ahead: used by a launch, or removed, and why',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset()
      for (const outcome of PREPARED_OUTCOMES) this.inc({ outcome }, prepared.outcomes(outcome))
    },
  })
}
