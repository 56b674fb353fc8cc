import type { RootTemplate } from '../../isolation/isolation.js'
import type { Limits, PreparePlan, StartPlan } from '../../isolation/launch-plan.js'
import type { Manifest } from '../packages/manifest/manifest.js'
import type { NodeEnvironment } from '../packages/node-environment.js'
import type { RunHints } from './run-hints.js'

/** All operating-system packages of stagerd have this user. */
export const RUN_USER = 'runner'

/** What a node gives to every run. */
export interface RunDefaults {
  readonly limits: Limits
  readonly environment: NodeEnvironment
}

export interface RunPlan {
  /** Of what runs. */
  readonly namespace: string
  readonly prepare: PreparePlan
  readonly start: StartPlan
  readonly hints: RunHints
  readonly templates: readonly RootTemplate[]
}

/** A program in the foreground runs until its client stops it. */
export function limitsOfRun(defaults: Limits, requested: Partial<Limits> | undefined, manifest?: Manifest): Limits {
  return { ...defaults, timeoutMs: Infinity, ...limitsOf(manifest), ...requested }
}

/** What the manifest of a package limits. */
function limitsOf(manifest: Manifest | undefined): Partial<Limits> {
  const { cpu, memory_bytes: memoryBytes, disk_bytes: diskBytes } = manifest?.resources ?? {}
  return {
    ...(cpu === undefined ? {} : { cpus: cpu / 1000 }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(diskBytes === undefined ? {} : { diskBytes }),
  }
}
