import { Conflict } from '../../base/errors.js'
import type { Package } from '../packages/package.js'
import type { PackageDraft, Pipeline, Stager, StagerDraft } from './repositories.js'

/** A name within its kind. */
export interface Name {
  readonly namespace: string
  readonly name: string
}

/** What is imported together. References are by name, to members of the set or to what exists already. */
export interface ExchangeSet {
  readonly packages: readonly PackageDraft[]
  readonly stagers: readonly StagerOfSet[]
  readonly pipelines: readonly PipelineOfSet[]
}

export interface StagerOfSet extends Omit<StagerDraft, 'packageUuid'> {
  /** The package that contains its program. */
  readonly program: Name
}

export interface PipelineOfSet extends Name {
  readonly stagers: readonly Name[]
  readonly signs?: readonly string[]
}

/**
 * What happens to an object whose name is taken. `renew` replaces what was made from another recipe, and keeps the rest: a
 * package is replaced if both it and its successor have a recipe, and a stager if the package of its program is.
 */
export type WhenThere = 'refuse' | 'override' | 'skip' | 'renew'

export type Outcome = 'made' | 'replaced' | 'skipped'

export interface ImportedSet {
  readonly packages: readonly { readonly document: Package; readonly outcome: Outcome }[]
  readonly stagers: readonly { readonly document: Stager; readonly outcome: Outcome }[]
  readonly pipelines: readonly { readonly document: Pipeline; readonly outcome: Outcome }[]
}

export interface ExchangeRepository {
  /** Full names of the objects in the set that exist: `import` would refuse, replace or skip them. */
  taken(set: NamesOfSet): Promise<ReadonlySet<string>>
  /** Full names of the packages whose data `import` would not take, because they exist and stay as they are. */
  kept(packages: readonly (Name & Pick<PackageDraft, 'recipe'>)[], whenThere: WhenThere): Promise<ReadonlySet<string>>
  /**
   * One transaction for the whole set. An object that is replaced keeps its UUID; a package also keeps its position in
   * the order of import.
   *
   * Throws `Conflict` (`already-there`, which names all of them; `package-busy`), `NotFound` (`package-not-found`,
   * `stager-not-found`) for a reference to something that does not exist, `Refused` (`package-quota`) for the set as a
   * whole.
   */
  import(set: ExchangeSet, whenThere: WhenThere): Promise<ImportedSet>
}

export interface NamesOfSet {
  readonly packages: readonly Name[]
  readonly stagers: readonly Name[]
  readonly pipelines: readonly Name[]
}

/** Throws `Conflict` (`already-there`), which names all of them. */
export function assertNoneTaken(taken: readonly string[]): void {
  if (taken.length === 0) return
  throw new Conflict(
    'already-there',
    `${taken.join(', ')} ${taken.length === 1 ? 'exists' : 'exist'} already: replace with --override, or keep with --skip-existing; nothing was imported.`,
  )
}
