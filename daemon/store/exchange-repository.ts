import { Conflict } from '../../base/errors.js'
import type { Package } from '../packages/package.js'
import type { PackageDraft, Pipeline, Stager, StagerDraft } from './repositories.js'

/** A name within its kind. */
export interface Name {
  readonly namespace: string
  readonly name: string
}

/** What comes in together. References are by name: to what is in the set, or else to what is there already. */
export interface ExchangeSet {
  readonly packages: readonly PackageDraft[]
  readonly stagers: readonly StagerOfSet[]
  readonly pipelines: readonly PipelineOfSet[]
}

export interface StagerOfSet extends Omit<StagerDraft, 'packageUuid'> {
  /** The package that holds its program. */
  readonly program: Name
}

export interface PipelineOfSet extends Name {
  readonly stagers: readonly Name[]
}

/** What becomes of a thing whose name is taken. */
export type WhenThere = 'refuse' | 'override' | 'skip'

export type Outcome = 'made' | 'replaced' | 'skipped'

export interface ImportedSet {
  readonly packages: readonly { readonly document: Package; readonly outcome: Outcome }[]
  readonly stagers: readonly { readonly document: Stager; readonly outcome: Outcome }[]
  readonly pipelines: readonly { readonly document: Pipeline; readonly outcome: Outcome }[]
}

export interface ExchangeRepository {
  /** Full names of what is there already, of those in the set: what `import` would refuse, replace or skip. */
  taken(set: NamesOfSet): Promise<ReadonlySet<string>>
  /**
   * All of it in one transaction: nobody ever sees a part. What is replaced keeps its UUID, and a package its place in
   * the order of import.
   *
   * Throws `Conflict` (`already-there`, naming all; `package-busy`), `NotFound` (`package-not-found`,
   * `stager-not-found`) for a reference that leads nowhere.
   */
  import(set: ExchangeSet, whenThere: WhenThere): Promise<ImportedSet>
}

export interface NamesOfSet {
  readonly packages: readonly Name[]
  readonly stagers: readonly Name[]
  readonly pipelines: readonly Name[]
}

/** Throws `Conflict` (`already-there`) that names all of them. */
export function assertNoneTaken(taken: readonly string[]): void {
  if (taken.length === 0) return
  throw new Conflict(
    'already-there',
    `${taken.join(', ')} ${taken.length === 1 ? 'is' : 'are'} there already: replace with --override, or keep with --skip-existing; nothing was imported.`,
  )
}
