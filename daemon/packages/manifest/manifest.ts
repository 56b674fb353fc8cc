import type { Places } from '../build-script/places.js'
import type { Capability, Template } from '../metadata.js'

/**
 * What a manifest says, in the names and the form of the control API. A package keeps it. `stagectl stage` and runs use
 * the first part; the second is for jobs.
 */
export interface Manifest {
  readonly name?: string
  readonly namespace?: string
  /** A local name, or one with a namespace that begins with a slash. */
  readonly staging_pipeline?: string
  /** Relative to the directory of the manifest, without `.` and `..`; absent for that directory itself. */
  readonly path?: string
  readonly start_cmd?: string
  readonly package_dependencies?: readonly Capability[]
  /** The values are templates. */
  readonly env?: Readonly<Record<string, string>>
  readonly templates?: readonly Template[]
  readonly resources?: Resources

  readonly instances?: number
  readonly ports?: readonly Port[]
  readonly disable_routes?: boolean
  readonly allow_egress?: boolean
  readonly start?: boolean
  readonly services?: readonly Service[]
  readonly stager_options?: readonly StagerOptions[]
  /** Seconds until the application must listen. */
  readonly timeout?: number
  readonly restart?: string
  readonly tags?: Readonly<Record<string, string>>
  readonly user?: string
  readonly group?: string
  readonly ssh?: boolean

  /** Where its text has what only a run can judge, by key: `env/PORT`, `templates/0/path`. Absent in one without a text. */
  readonly places?: Places
}

/** What `manifest` says, wherever its text says it. */
export function withoutPlaces(manifest: Manifest): Manifest {
  const { places, ...said } = manifest
  return places ? said : manifest
}

/** In the unit of `Resources.cpu`. */
export const MAX_CPU = 1_000_000

export interface Resources {
  /** Milliseconds of a CPU in each second: 1000 is one CPU. */
  readonly cpu?: number
  readonly memory_bytes?: number
  readonly disk_bytes?: number
  readonly network_bits_per_second?: number
}

export interface Port {
  /** 0: the port that `$PORT` names. */
  readonly number: number
  readonly routes: readonly Route[]
}

export interface Route {
  readonly type: (typeof ROUTE_TYPES)[number]
  /** A host name, or `auto`. */
  readonly endpoint: string
  readonly weight?: number
}

export const ROUTE_TYPES = ['http', 'tcp'] as const

export interface Service {
  readonly provider_name?: string
  readonly type?: string
  readonly service_name?: string
}

export interface StagerOptions {
  readonly stager_name: string
  readonly services: readonly Service[]
}
