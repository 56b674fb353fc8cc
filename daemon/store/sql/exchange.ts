import { Conflict } from '../../../base/errors.js'
import { formatFqn, type FqnKind } from '../../../base/fqn.js'
import {
  assertNoneTaken,
  type ExchangeRepository,
  type ExchangeSet,
  type ImportedSet,
  type Name,
  type NamesOfSet,
  type Outcome,
  type PipelineOfSet,
  type StagerOfSet,
  type WhenThere,
} from '../exchange-repository.js'
import type { Package } from '../../packages/package.js'
import type { PackageDraft, Pipeline, Ref, Stager } from '../repositories.js'
import type { Dialect } from './dialect.js'
import type { Transactions, Work } from './work.js'
import type { PackageTable } from './package-table.js'
import { PipelineTable } from './pipeline-table.js'
import { StagerTable } from './stager-table.js'

interface Found {
  readonly uuid: string
}

interface Put<T> {
  readonly document: T
  readonly outcome: Outcome
}

/** Imports sets of packages, stagers and pipelines, each in one transaction. */
export class SqlExchange implements ExchangeRepository {
  readonly #transactions: Transactions
  readonly #packages: PackageTable
  readonly #stagers: StagerTable
  readonly #pipelines: PipelineTable

  constructor(transactions: Transactions, dialect: Dialect, packages: PackageTable) {
    this.#transactions = transactions
    this.#packages = packages
    this.#stagers = new StagerTable()
    this.#pipelines = new PipelineTable(dialect)
  }

  taken(set: NamesOfSet): Promise<ReadonlySet<string>> {
    return this.#transactions.read(function* () {
      return new Set(yield* this.#taken(set))
    }, this)
  }

  kept(packages: readonly (Name & Pick<PackageDraft, 'recipe'>)[], whenThere: WhenThere): Promise<ReadonlySet<string>> {
    return this.#transactions.read(function* () {
      const kept = new Set<string>()
      for (const draft of packages) {
        const found = yield* this.#packages.find(refTo(draft))
        if (found && keepsPackage(found, draft, whenThere)) kept.add(formatFqn('package', draft))
      }
      return kept
    }, this)
  }

  import(set: ExchangeSet, whenThere: WhenThere): Promise<ImportedSet> {
    return this.#transactions.write(function* () {
      if (whenThere === 'refuse') assertNoneTaken(yield* this.#taken(set))
      // In this order: stagers refer to packages, pipelines to stagers.
      const packages: Put<Package>[] = []
      for (const draft of set.packages)
        packages.push(
          yield* put(yield* this.#packages.find(refTo(draft)), {
            keeps: (found) => keepsPackage(found, draft, whenThere) || lacksData(draft),
            make: () => this.#makePackage(draft),
            replace: (found) => this.#replacePackage(found.uuid, draft),
          }),
        )
      const replaced = new Set(
        packages.filter(({ outcome }) => outcome === 'replaced').map(({ document: { uuid } }) => uuid),
      )
      const renews = ({ packageUuid }: Stager) => whenThere === 'renew' && replaced.has(packageUuid)
      const stagers: Put<Stager>[] = []
      for (const draft of set.stagers)
        stagers.push(
          yield* put(yield* this.#stagers.find(refTo(draft)), {
            keeps: (found) => keepsOthers(whenThere) && !renews(found),
            make: () => this.#makeStager(draft),
            replace: (found) => this.#replaceStager(found, draft),
          }),
        )
      const pipelines: Put<Pipeline>[] = []
      for (const draft of set.pipelines)
        pipelines.push(
          yield* put(yield* this.#pipelines.find(refTo(draft)), {
            keeps: () => keepsOthers(whenThere),
            make: () => this.#makePipeline(draft),
            replace: (found) => this.#replacePipeline(found, draft),
          }),
        )
      return { packages, stagers, pipelines }
    }, this)
  }

  *#makeStager({ program, ...draft }: StagerOfSet): Work<Stager> {
    return yield* this.#stagers.insert({ ...draft, packageUuid: yield* this.#uuidOf(program) })
  }

  *#replaceStager(found: Stager, { program, ...draft }: StagerOfSet): Work<Stager> {
    return yield* this.#stagers.replace(found, { ...draft, packageUuid: yield* this.#uuidOf(program) })
  }

  *#uuidOf(program: Name): Work<string> {
    return (yield* this.#packages.get(refTo(program))).uuid
  }

  *#makePipeline(draft: PipelineOfSet): Work<Pipeline> {
    return yield* this.#pipelines.insert({ ...draft, stagers: yield* this.#uuidsOf(draft.stagers) })
  }

  *#replacePipeline(found: Pipeline, { stagers, signs = [] }: PipelineOfSet): Work<Pipeline> {
    return yield* this.#pipelines.update(found, { stagers: yield* this.#uuidsOf(stagers), signs })
  }

  *#uuidsOf(stagers: readonly Name[]): Work<string[]> {
    const uuids: string[] = []
    for (const name of stagers) uuids.push((yield* this.#stagers.get(refTo(name))).uuid)
    return uuids
  }

  *#makePackage(draft: PackageDraft): Work<Package> {
    // It existed when the file was read, so its data was not received.
    if (!draft.resource)
      throw new Conflict(
        'state-changed',
        `${formatFqn('package', draft)} was deleted during the import: import the file again.`,
      )
    return yield* this.#packages.insert(draft)
  }

  *#replacePackage(uuid: string, draft: PackageDraft): Work<Package> {
    const found = yield* this.#packages.get({ uuid })
    if (found.state === 'staging')
      throw new Conflict(
        'package-busy',
        `${formatFqn('package', found)} is being staged: wait until the staging has ended, or cancel it.`,
      )
    const { version, description, recipe, dependencies, provides, environment, templates, manifest } = draft
    return yield* this.#packages.replace(found, {
      name: found.name,
      dependencies,
      provides,
      environment,
      templates,
      ...(version === undefined ? {} : { version }),
      ...(description === undefined ? {} : { description }),
      ...(recipe === undefined ? {} : { recipe }),
      manifest,
      resource: draft.resource,
      state: draft.resource ? (draft.state ?? 'uploaded') : 'created',
    })
  }

  *#taken({ packages, stagers, pipelines }: NamesOfSet): Work<string[]> {
    return [
      ...(yield* there('package', packages, (ref) => this.#packages.find(ref))),
      ...(yield* there('job', stagers, (ref) => this.#stagers.find(ref))),
      ...(yield* there('stagpipe', pipelines, (ref) => this.#pipelines.find(ref))),
    ]
  }
}

/** The full names of those that are there. */
function* there(kind: FqnKind, names: readonly Name[], find: (ref: Ref) => Work<Found | undefined>): Work<string[]> {
  const found: string[] = []
  for (const name of names) if (yield* find(refTo(name))) found.push(formatFqn(kind, name))
  return found
}

function keepsPackage(found: Package, draft: Pick<PackageDraft, 'recipe'>, whenThere: WhenThere): boolean {
  switch (whenThere) {
    case 'refuse':
    case 'override':
      return false
    case 'skip':
      return true
    case 'renew':
      return found.recipe === undefined || draft.recipe === undefined || found.recipe === draft.recipe
  }
}

/** Its data was not received, because it was to be kept. */
function lacksData(draft: PackageDraft): boolean {
  return draft.resource === undefined
}

function keepsOthers(whenThere: WhenThere): boolean {
  return whenThere === 'skip' || whenThere === 'renew'
}

function* put<T extends Found>(
  found: T | undefined,
  how: {
    readonly keeps: (found: T) => boolean
    readonly make: () => Work<T>
    readonly replace: (found: T) => Work<T>
  },
): Work<Put<T>> {
  if (!found) return { document: yield* how.make(), outcome: 'made' }
  if (how.keeps(found)) return { document: found, outcome: 'skipped' }
  return { document: yield* how.replace(found), outcome: 'replaced' }
}

function refTo({ namespace, name }: Name): Ref {
  return { namespace, name }
}
