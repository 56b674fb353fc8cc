import type { Fqn } from '../../base/fqn.js'
import type { Capability, PackageMetadata } from '../packages/metadata.js'
import type { Package, Resource } from '../packages/package.js'
import type { StagerSnapshot } from '../model/staging.js'

/**
 * Metadata that lasts. Every method is one transaction; what it has acknowledged survives a power cut.
 *
 * Names are unique within a namespace and a kind. A reference is a UUID or a full name.
 */
export type Ref = { readonly uuid: string } | { readonly namespace: string; readonly name: string }

/**
 * Either what becomes of it, or a function that says so of what is found: called inside the transaction, so that two who
 * change the same thing at once both get their way. It must be pure: where the transaction is tried again, so is it.
 */
export type ChangeOf<Found, Change> = Change | ((found: Found) => Change)

export interface PackageRepository {
  /** Throws `Conflict` (`package-exists`). The new package is `created`, or `ready`/`uploaded` when it brings a resource. */
  create(draft: PackageDraft): Promise<Package>
  /** Throws `NotFound` (`package-not-found`). */
  get(ref: Ref): Promise<Package>
  list(filter: PackageFilter): Promise<readonly Package[]>
  /** Of the data of all packages in a namespace and below it, in bytes. */
  totalLength(namespace: string): Promise<number>
  /** In order of import; the universe of a resolution: packages that are `ready`. */
  listReady(): Promise<readonly Package[]>
  /**
   * Throws `Conflict` (`package-busy`) while a staging has the package, `package-exists` when the new name is taken.
   */
  update(ref: Ref, change: ChangeOf<Package, PackageChange>): Promise<Package>
  /** `created`, `uploaded`, `failed` or `ready` becomes `state`, with this data. Throws `Conflict` (`package-busy`) while it is being staged. */
  attach(ref: Ref, resource: Resource, state: 'uploaded' | 'ready'): Promise<Package>
  /**
   * `from` becomes what is under the name of `target`: all that it has but its name takes the place of what `target` had,
   * and `from` is gone. Whoever depends on `target`, or holds it by its UUID, never finds it missing or half of each.
   * Throws `Conflict` (`package-busy`, `package-in-use`, `same-package`).
   */
  replace(target: Ref, from: Ref): Promise<Package>
  /** Throws `Conflict` (`package-in-use`) while a staging or a stager holds it, naming them. */
  delete(ref: Ref): Promise<void>
}

export interface PackageDraft extends PackageMetadata {
  readonly namespace: string
  readonly name: string
  readonly resource?: Resource
  readonly state?: 'uploaded' | 'ready'
  readonly version?: string
  readonly description?: string
}

export interface PackageFilter {
  readonly type?: string
  /** Name of something provided, of any type. */
  readonly provides?: string
  /** This namespace and all below it. */
  readonly namespace?: string
}

export interface PackageChange extends Partial<PackageMetadata> {
  readonly name?: string
  readonly version?: string
  readonly description?: string
}

export interface Stager extends StagerSnapshot {
  readonly createdAt: string
  readonly updatedAt: string
}

export type StagerDraft = Omit<Stager, 'uuid' | 'createdAt' | 'updatedAt'>
export type StagerChange = Partial<Omit<StagerDraft, 'namespace'>>

export interface StagerRepository {
  /** Throws `Conflict` (`stager-exists`). */
  create(draft: StagerDraft): Promise<Stager>
  /** Throws `NotFound` (`stager-not-found`). */
  get(ref: Ref): Promise<Stager>
  list(filter: { readonly namespace?: string }): Promise<readonly Stager[]>
  update(ref: Ref, change: ChangeOf<Stager, StagerChange>): Promise<Stager>
  /** Throws `Conflict` (`stager-in-use`) while a pipeline names it, naming the pipelines. */
  delete(ref: Ref): Promise<void>
}

export interface Pipeline {
  readonly uuid: string
  readonly namespace: string
  readonly name: string
  /** UUIDs of stagers, in the order in which they work; never empty. */
  readonly stagers: readonly string[]
  readonly createdAt: string
  readonly updatedAt: string
}

export interface PipelineRepository {
  /** Throws `Conflict` (`pipeline-exists`), `NotFound` (`stager-not-found`) for a stager that is gone. */
  create(draft: { namespace: string; name: string; stagers: readonly string[] }): Promise<Pipeline>
  /** Throws `NotFound` (`pipeline-not-found`). */
  get(ref: Ref): Promise<Pipeline>
  list(filter: { readonly namespace?: string }): Promise<readonly Pipeline[]>
  setStagers(ref: Ref, stagers: ChangeOf<Pipeline, readonly string[]>): Promise<Pipeline>
  delete(ref: Ref): Promise<void>
}

/** A text that says what may be used by whom; see daemon/packages/policy. */
export interface PolicyDocument {
  readonly uuid: string
  readonly namespace: string
  readonly name: string
  /** From 1; that of `text`, the newest. */
  readonly version: number
  readonly text: string
  readonly createdAt: string
  /** When the newest version was put. */
  readonly updatedAt: string
}

export interface PolicyVersion {
  readonly version: number
  readonly text: string
  readonly createdAt: string
}

export type PolicyDraft = Pick<PolicyDocument, 'namespace' | 'name' | 'text'>

/** Nothing is checked here: who puts a text has parsed it. */
export interface PolicyRepository {
  /** Throws `Conflict` (`policy-exists`). */
  create(draft: PolicyDraft): Promise<PolicyDocument>
  /** Makes the document, or its next version; the same text again is no new version. */
  put(draft: PolicyDraft): Promise<PolicyDocument>
  /** Throws `NotFound` (`policy-not-found`). */
  get(ref: Ref): Promise<PolicyDocument>
  /** Every version that it ever had, the oldest first. */
  versions(ref: Ref): Promise<readonly PolicyVersion[]>
  list(filter: { readonly namespace?: string }): Promise<readonly PolicyDocument[]>
  /** All of them, by namespace and name: as long as nothing has changed, the same array. */
  current(): Promise<readonly PolicyDocument[]>
  /** With all its versions. */
  delete(ref: Ref): Promise<void>
}

export function refOf(fqn: Fqn): Ref {
  return { namespace: fqn.namespace, name: fqn.name }
}

export type { Capability }
