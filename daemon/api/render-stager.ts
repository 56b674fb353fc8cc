import { formatFqn } from '../../base/fqn.js'
import type { Package } from '../packages/package.js'
import type { Pipeline, Stager } from '../store/repositories.js'
import { renderLimits } from '../documents/convert-limits.js'
import type { Pipeline as PipelineDocument } from '../documents/pipeline.js'
import type { Stager as StagerDocument } from '../documents/stager.js'
import { packageFqn } from './render-package.js'

/** @param program the package with the program of the stager */
export function renderStager(stager: Stager, program: Package): StagerDocument {
  return {
    uuid: stager.uuid,
    fqn: formatFqn('job', stager),
    namespace: stager.namespace,
    name: stager.name,
    package: packageFqn(program),
    start_command: stager.startCommand,
    additive: stager.additive,
    allow_egress: stager.egress,
    reproducible: stager.reproducible ?? false,
    clean_environment: stager.cleanEnvironment ?? false,
    secrets: [...(stager.secrets ?? [])],
    user: stager.user,
    limits: renderLimits(stager.limits),
    dependencies: [...stager.dependencies],
    expects: [...(stager.expects ?? [])],
    ...(stager.labels ? { labels: [...stager.labels] } : {}),
    environment: stager.environment,
    created_at: stager.createdAt,
    updated_at: stager.updatedAt,
  }
}

/** @param stagers the stagers of the pipeline, in order */
export function renderPipeline(pipeline: Pipeline, stagers: readonly Stager[]): PipelineDocument {
  return {
    uuid: pipeline.uuid,
    fqn: formatFqn('stagpipe', pipeline),
    namespace: pipeline.namespace,
    name: pipeline.name,
    stagers: stagers.map((stager) => formatFqn('job', stager)),
    signs: [...pipeline.signs],
    created_at: pipeline.createdAt,
    updated_at: pipeline.updatedAt,
  }
}
