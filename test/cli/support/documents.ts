import type { Detection } from '../../../daemon/documents/detection.js'
import type { Package } from '../../../daemon/documents/package.js'
import type { Pipeline } from '../../../daemon/documents/pipeline.js'
import type { Stager } from '../../../daemon/documents/stager.js'
import type { Cause, LogLine, Staging } from '../../../daemon/documents/staging.js'

const TIMES = { created_at: '2024-05-01T10:00:00.000Z', updated_at: '2024-05-01T10:00:00.000Z' }

export const STAGING_ID = '5f0c6d0e-9a3f-4c55-8d0b-0d8cf1a5a6a7'
export const PACKAGE_ID = '0b7c1e8a-2f64-4f0e-9d57-3f1f1f0a7c11'
export const PIPELINE_ID = '3d7a52f0-6a0b-4f6c-8a51-8f5bd5f7c9aa'
export const STAGER_ID = '9e1b41c6-10f9-4f0b-9a55-6f6a2f5b7dcc'

export function aPackage(overrides: Partial<Package> = {}): Package {
  const name = overrides.name ?? 'app'
  const namespace = overrides.namespace ?? '/'
  return {
    uuid: PACKAGE_ID,
    fqn: `package::${namespace}::${name}`,
    namespace,
    name,
    state: 'ready',
    dependencies: [],
    provides: [],
    environment: {},
    templates: [],
    ...TIMES,
    ...overrides,
  }
}

export function aPipeline(overrides: Partial<Pipeline> = {}): Pipeline {
  const name = overrides.name ?? 'static-site'
  const namespace = overrides.namespace ?? '/'
  const fqn = `stagpipe::${namespace}::${name}`
  return {
    uuid: PIPELINE_ID,
    fqn,
    namespace,
    name,
    stagers: ['job::/::static-site'],
    signs: [],
    ...TIMES,
    ...overrides,
  }
}

/** One that has found static-site. */
export function aDetection(overrides: Partial<Detection> = {}): Detection {
  const pipeline = 'stagpipe::/::static-site'
  const found = { found: ['index.html'], reason: 'index.html is there', signs: ['index.html'] }
  const candidates = [{ name: 'static-site', pipeline, verdict: 'taken' as const, fits: true, ...found }]
  return { namespace: '/', pipeline, candidates, wanted: [], ...overrides }
}

export function aStager(overrides: Partial<Stager> = {}): Stager {
  const name = overrides.name ?? 'static-site'
  return {
    uuid: STAGER_ID,
    fqn: `job::/::${name}`,
    namespace: '/',
    name,
    package: `package::/::${name}`,
    start_command: './stager',
    additive: false,
    allow_egress: false,
    reproducible: false,
    clean_environment: false,
    secrets: [],
    user: 'runner',
    limits: { memory_bytes: 268_435_456, cpus: 1, pids: 256, disk_bytes: 1_073_741_824, timeout_ms: 600_000 },
    dependencies: [],
    expects: [],
    environment: {},
    ...TIMES,
    ...overrides,
  }
}

export function aStaging(overrides: Partial<Staging> = {}): Staging {
  return {
    uuid: STAGING_ID,
    state: 'queued',
    package: 'package::/::app',
    package_uuid: PACKAGE_ID,
    pipeline: 'stagpipe::/::static-site',
    stagers: ['job::/::static-site'],
    launches: [],
    submitted_at: '2024-05-01T10:00:00.000Z',
    ...overrides,
  }
}

export function ended(state: 'succeeded' | 'failed' | 'cancelled', cause?: Cause): Staging {
  const ended_at = '2024-05-01T10:00:12.300Z'
  if (cause === undefined) return aStaging({ state, ended_at })
  const failure = { cause, stager: 'job::/::static-site', message: 'it reported failure', hint: 'Correct it.' }
  return aStaging({ state, ended_at, failure })
}

export function line(seq: number, text: string): LogLine {
  return { seq, time: '2024-05-01T10:00:01.000Z', stream: 'staging', text }
}

interface Named {
  readonly parameters: Readonly<Record<string, string>>
}

/** Handlers of a fake that has everything under the name that is asked for. */
export const anyPackage = ({ parameters }: Named): Package => aPackage({ ...namesOf(parameters), uuid: PACKAGE_ID })
export const anyPipeline = ({ parameters }: Named): Pipeline => aPipeline(namesOf(parameters))
export const anyStager = ({ parameters }: Named): Stager => ({ ...aStager(), ...namesOf(parameters) })

function namesOf({ ref = '' }: Named['parameters']): { fqn: string; namespace: string; name: string } {
  const [, namespace = '', name = ''] = ref.split('::')
  return { fqn: ref, namespace, name }
}
