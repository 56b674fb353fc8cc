import ms from 'ms'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import type { Stager } from '../../daemon/documents/stager.js'
import { assignments, dotted, field } from './describe-package.js'
import { formatBytes } from './progress.js'

export function describeStager(document: Stager): string {
  const { limits } = document
  return [
    `Stager: ${document.name}`,
    `FQN: ${document.fqn}`,
    `UUID: ${document.uuid}`,
    `Package: ${document.package}`,
    `Start command: ${document.start_command}`,
    `Additive: ${document.additive ? 'yes' : 'no'}`,
    `Egress: ${document.allow_egress ? 'allowed' : 'none'}`,
    ...(document.allow_egress ? [`Reproducible: ${document.reproducible ? 'yes' : 'no'}`] : []),
    ...(document.clean_environment ? ['Environment of the package: not given'] : []),
    ...field('Secrets', document.secrets),
    `User: ${document.user}`,
    `Limits: memory ${formatBytes(limits.memory_bytes)}, cpus ${limits.cpus}, pids ${limits.pids}, disk ${formatBytes(limits.disk_bytes)}, timeout ${ms(limits.timeout_ms)}`,
    ...field('Dependencies', document.dependencies.map(dotted)),
    ...field('Expects', document.expects.map(dotted)),
    ...field('Labels', document.labels ?? []),
    ...field('Environment', assignments(document.environment)),
    `Updated: ${document.updated_at}`,
  ].join('\n')
}

export function describePipeline(document: Pipeline): string {
  return [
    `Pipeline: ${document.name}`,
    `FQN: ${document.fqn}`,
    `UUID: ${document.uuid}`,
    ...field('Stagers', document.stagers),
    ...field('Signs', document.signs),
    `Updated: ${document.updated_at}`,
  ].join('\n')
}
