import { formatFqn } from '../../base/fqn.js'
import type { Limits } from '../../isolation/launch-plan.js'
import type { Package } from '../packages/package.js'
import type { Pipeline, Stager } from '../store/repositories.js'
import type { Limits as LimitsDocument } from '../documents/limits.js'
import type { Pipeline as PipelineDocument } from '../documents/pipeline.js'
import type { Stager as StagerDocument } from '../documents/stager.js'
import { packageFqn } from './render-package.js'

export function stagerFqn({ namespace, name }: Pick<Stager, 'namespace' | 'name'>): string {
  return formatFqn({ kind: 'job', namespace, name })
}

/** @param program the package with the program of the stager */
export function renderStager(stager: Stager, program: Package): StagerDocument {
  return {
    uuid: stager.uuid,
    fqn: stagerFqn(stager),
    namespace: stager.namespace,
    name: stager.name,
    package: packageFqn(program),
    start_command: stager.startCommand,
    additive: stager.additive,
    allow_egress: stager.egress,
    user: stager.user,
    limits: renderLimits(stager.limits),
    dependencies: [...stager.dependencies],
    environment: stager.environment,
    created_at: stager.createdAt,
    updated_at: stager.updatedAt,
  }
}

/** @param stagers the stagers of the pipeline, in order */
export function renderPipeline(pipeline: Pipeline, stagers: readonly Stager[]): PipelineDocument {
  return {
    uuid: pipeline.uuid,
    fqn: formatFqn({ kind: 'stagpipe', namespace: pipeline.namespace, name: pipeline.name }),
    namespace: pipeline.namespace,
    name: pipeline.name,
    stagers: stagers.map(stagerFqn),
    created_at: pipeline.createdAt,
    updated_at: pipeline.updatedAt,
  }
}

function renderLimits(limits: Limits): LimitsDocument {
  return {
    memory_bytes: limits.memoryBytes,
    cpus: limits.cpus,
    pids: limits.pids,
    disk_bytes: limits.diskBytes,
    timeout_ms: limits.timeoutMs,
  }
}

/** The limits that the document sets. */
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
