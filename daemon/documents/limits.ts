import { Type, type Static } from 'typebox'
import { closed } from './schema.js'

export const Limits = Type.Object(
  {
    memory_bytes: Type.Integer({ minimum: 6 * 1024 * 1024 }),
    cpus: Type.Number({ exclusiveMinimum: 0 }),
    pids: Type.Integer({ minimum: 2 }),
    disk_bytes: Type.Integer({ minimum: 1024 * 1024 }),
    timeout_ms: Type.Integer({ minimum: 1000 }),
  },
  { ...closed, title: 'Limits' },
)
export type Limits = Static<typeof Limits>

/** Limits that are left out keep their value, or get the default. */
export const SomeLimits = Type.Partial(Limits, { ...closed, title: 'SomeLimits' })
