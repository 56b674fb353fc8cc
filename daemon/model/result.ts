import { canonicalJson } from '../../base/canonical-json.js'
import type { WithManifest } from '../packages/manifest/apply-manifest.js'
import { withoutPlaces } from '../packages/manifest/manifest.js'
import type { Package, Resource } from '../packages/package.js'
import type { WorkingCopy } from './staging.js'

/** Why a state of a package is in its history. */
export type ResultOrigin =
  /** `reused` is the staging whose result has answered this one. */
  | { readonly kind: 'staging'; readonly staging: string; readonly pipeline: string; readonly reused?: string }
  /** `to` is the number of the result that it repeats. */
  | { readonly kind: 'rollback'; readonly to: number }
  /** Neither: a state that a result has replaced. */
  | { readonly kind: 'kept' }

/** The state of a package, without its name. */
export interface ResultContent extends WithManifest {
  readonly resource: Resource
  readonly version?: string | undefined
  readonly description?: string | undefined
  readonly recipe?: string | undefined
}

/** A launch that ended with a verdict. */
export interface RecordedLaunch {
  readonly step: number
  readonly verdict: 'done' | 'relaunch'
  /** Digest of all that it was given: see staging/launch-digest.ts. Undefined if that is not known. */
  readonly given: string | undefined
  /** After its verdict. */
  readonly work: WorkingCopy
}

/** Launches of an earlier staging that a staging goes on from, as if they were its own. Never empty; the last one is `done`. */
export interface TakenOver {
  /** UUID of the earlier staging. */
  readonly staging: string
  /** With what each of them would be given now, and would leave. */
  readonly launches: readonly RecordedLaunch[]
}

/** What a staging has made a result from. */
export interface Making {
  readonly staging: string
  readonly pipeline: string
  /** The package as the first stager saw it, with the source as its resource. */
  readonly input: WorkingCopy
  readonly launches: readonly RecordedLaunch[]
  /** Digest of what the first launch would be given if the same source were staged on top of the result. */
  readonly again: string | undefined
}

/** One entry of the history of a package. */
export interface Result {
  readonly number: number
  readonly origin: ResultOrigin
  readonly content: ResultContent
  /** Undefined for a state that no staging has made. */
  readonly making: Making | undefined
  readonly createdAt: string
}

export function isState(content: ResultContent, { resource, ...found }: Package): boolean {
  return resource !== undefined && canonicalJson(stateOf(content)) === canonicalJson(stateOf({ ...found, resource }))
}

/** What the two have in common if they are the same for everybody who uses the package. */
function stateOf({ resource, dependencies, provides, environment, templates, manifest }: ResultContent) {
  const { sha256, removals } = resource
  return {
    sha256,
    removals,
    dependencies,
    provides,
    environment,
    templates,
    manifest: manifest && withoutPlaces(manifest),
  }
}
