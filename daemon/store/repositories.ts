import type { Fqn } from '../../base/fqn.js'
import type { Manifest } from '../packages/manifest/manifest.js'
import type { Capability, PackageMetadata } from '../packages/metadata.js'
import type { Package, Resource } from '../packages/package.js'
import type { StagerSnapshot } from '../model/staging.js'

/**
 * A reference to stored metadata: a UUID or a full name. Names are unique within a namespace and a kind.
 *
 * Every method of the repositories is one transaction, which is durable when the method resolves.
 */
export type Ref = { readonly uuid: string } | { readonly namespace: string; readonly name: string }

/**
 * A change, or a function that computes it from the current state. The function is called inside the transaction, so that
 * concurrent changes do not overwrite each other. It must be pure, because the transaction may be retried.
 */
export type ChangeOf<Found, Change> = Change | ((found: Found) => Change)

/**
 * QUOTA: every method that gives a package more data throws `Refused` (`package-quota`) unless the policies in force allow
 * it, both for the package and for the totals of its realms. This is decided in the transaction that stores it.
 */
export interface PackageRepository {
  /** The new package is `created`; with a resource it is `uploaded`, or `ready`. Throws `Conflict` (`package-exists`). */
  create(draft: PackageDraft): Promise<Package>
  /** Throws `NotFound` (`package-not-found`). */
  get(ref: Ref): Promise<Package>
  list(filter: PackageFilter): Promise<readonly Package[]>
  /** The maximum size of the next upload to a namespace by the policies in force, in bytes. */
  remainingQuota(namespace: string): Promise<number>
  /** The usable packages, in order of import: those that a resolution can choose from. */
  listUsable(): Promise<readonly Package[]>
  /**
   * Throws `Conflict` (`package-busy`) while the package is being staged, `package-exists` if the new name is taken.
   */
  update(ref: Ref, change: ChangeOf<Package, PackageChange>): Promise<Package>
  /** Sets resource and state; the package is not that of its recipe any more. Throws `Conflict` (`package-busy`) while the package is being staged. */
  attach(ref: Ref, resource: Resource, state: 'uploaded' | 'ready'): Promise<Package>
  /**
   * Replaces everything of `target` but its name and its UUID by what `from` has, and deletes `from`. No reader sees
   * `target` missing or a mixture of both. Throws `Conflict` (`package-busy`, `package-in-use`, `same-package`).
   */
  replace(target: Ref, from: Ref): Promise<Package>
  /** Throws `Conflict` (`package-in-use`), which names the stagings and stagers that use it. */
  delete(ref: Ref): Promise<void>
}

export interface PackageDraft extends PackageMetadata {
  readonly namespace: string
  readonly name: string
  readonly resource?: Resource
  readonly state?: 'uploaded' | 'ready'
  readonly version?: string
  readonly description?: string
  readonly recipe?: string
  readonly manifest?: Manifest | undefined
}

export interface PackageFilter {
  readonly type?: string
  /** The name of a capability that it provides, of any type. */
  readonly provides?: string
  /** This namespace and those below it. */
  readonly namespace?: string
}

export interface PackageChange extends Partial<PackageMetadata> {
  readonly name?: string
  readonly version?: string
  readonly description?: string
  readonly manifest?: Manifest | undefined
}

export interface Stager extends StagerSnapshot {
  readonly createdAt: string
  readonly updatedAt: string
}

export type StagerDraft = Omit<Stager, 'uuid' | 'createdAt' | 'updatedAt'>
export type StagerChange = Partial<Omit<StagerDraft, 'namespace'>>

export interface StagerFilter {
  /** This namespace and those below it. */
  readonly namespace?: string
  /** The package with its program. */
  readonly packageUuid?: string
}

export interface StagerRepository {
  /** Throws `Conflict` (`stager-exists`). */
  create(draft: StagerDraft): Promise<Stager>
  /** Throws `NotFound` (`stager-not-found`). */
  get(ref: Ref): Promise<Stager>
  list(filter: StagerFilter): Promise<readonly Stager[]>
  update(ref: Ref, change: ChangeOf<Stager, StagerChange>): Promise<Stager>
  /** Throws `Conflict` (`stager-in-use`), which names the pipelines that contain it. */
  delete(ref: Ref): Promise<void>
}

export interface Pipeline {
  readonly uuid: string
  readonly namespace: string
  readonly name: string
  /** UUIDs of stagers, in the order of their launches; never empty. */
  readonly stagers: readonly string[]
  /** Patterns of names at the top of a source for which it is meant; `canonicalSigns` has made them. */
  readonly signs: readonly string[]
  readonly createdAt: string
  readonly updatedAt: string
}

export interface PipelineDraft {
  readonly namespace: string
  readonly name: string
  readonly stagers: readonly string[]
  readonly signs?: readonly string[]
}

export type PipelineChange = Partial<Pick<Pipeline, 'stagers' | 'signs'>>

export interface PipelineRepository {
  /** Throws `Conflict` (`pipeline-exists`), `NotFound` (`stager-not-found`). */
  create(draft: PipelineDraft): Promise<Pipeline>
  /** Throws `NotFound` (`pipeline-not-found`). */
  get(ref: Ref): Promise<Pipeline>
  list(filter: { readonly namespace?: string }): Promise<readonly Pipeline[]>
  /** Changes only what is given. Throws `NotFound` (`stager-not-found`), `BadInput` (`empty-pipeline`). */
  update(ref: Ref, change: ChangeOf<Pipeline, PipelineChange>): Promise<Pipeline>
  delete(ref: Ref): Promise<void>
}

/** The source text of a policy; daemon/packages/policy defines the language. */
export interface PolicyDocument {
  readonly uuid: string
  readonly namespace: string
  readonly name: string
  /** The version of `text`, which is the newest; from 1. */
  readonly version: number
  readonly text: string
  readonly createdAt: string
  /** The time of the newest version. */
  readonly updatedAt: string
}

export interface PolicyVersion {
  readonly version: number
  readonly text: string
  readonly createdAt: string
}

export type PolicyDraft = Pick<PolicyDocument, 'namespace' | 'name' | 'text'>

/** Texts are stored unchecked: callers parse them first. */
export interface PolicyRepository {
  /** Throws `Conflict` (`policy-exists`). */
  create(draft: PolicyDraft): Promise<PolicyDocument>
  /** Creates the document, or its next version if the text differs. */
  put(draft: PolicyDraft): Promise<PolicyDocument>
  /** Throws `NotFound` (`policy-not-found`). */
  get(ref: Ref): Promise<PolicyDocument>
  /** All versions, the oldest first. */
  versions(ref: Ref): Promise<readonly PolicyVersion[]>
  list(filter: { readonly namespace?: string }): Promise<readonly PolicyDocument[]>
  /** All documents, by namespace and name. Returns the same array until something changes. */
  current(): Promise<readonly PolicyDocument[]>
  /** Deletes all its versions too. */
  delete(ref: Ref): Promise<void>
}

export function refOf(fqn: Fqn): Ref {
  return { namespace: fqn.namespace, name: fqn.name }
}

export type { Capability }
