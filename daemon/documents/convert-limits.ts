import type { Limits } from '../../isolation/launch-plan.js'
import type { Limits as LimitsDocument } from './limits.js'

export function renderLimits(limits: Limits): LimitsDocument {
  return {
    memory_bytes: limits.memoryBytes,
    cpus: limits.cpus,
    pids: limits.pids,
    disk_bytes: limits.diskBytes,
    timeout_ms: limits.timeoutMs,
  }
}

/** The limits that the document names. */
export function parseLimits(document: LimitsDocument): Limits
export function parseLimits(document?: Partial<LimitsDocument>): Partial<Limits>
export function parseLimits(document: Partial<LimitsDocument> = {}): Partial<Limits> {
  const { memory_bytes, cpus, pids, disk_bytes, timeout_ms } = document
  return {
    ...(memory_bytes === undefined ? {} : { memoryBytes: memory_bytes }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(pids === undefined ? {} : { pids }),
    ...(disk_bytes === undefined ? {} : { diskBytes: disk_bytes }),
    ...(timeout_ms === undefined ? {} : { timeoutMs: timeout_ms }),
  }
}
