import { Type, type Static } from 'typebox'
import { SMALLEST_LIMITS } from '../../base/smallest-limits.js'
import { closed } from './schema.js'

export const Limits = Type.Object(
  {
    memory_bytes: Type.Integer({ minimum: SMALLEST_LIMITS.memoryBytes }),
    cpus: Type.Number({ exclusiveMinimum: 0 }),
    pids: Type.Integer({ minimum: SMALLEST_LIMITS.pids }),
    disk_bytes: Type.Integer({ minimum: SMALLEST_LIMITS.diskBytes }),
    timeout_ms: Type.Integer({ minimum: SMALLEST_LIMITS.timeoutMs }),
  },
  { ...closed, title: 'Limits' },
)
export type Limits = Static<typeof Limits>

/** Limits that are left out keep their value, or get the default. */
export const SomeLimits = Type.Partial(Limits, { ...closed, title: 'SomeLimits' })
