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
  type WhenThere,
} from '../exchange-repository.js'
import type { Package } from '../../packages/package.js'
import type { PackageDraft, Ref, Stager } from '../repositories.js'
import type { StagerdDatabase } from './database.js'
import type { PackageTable } from './package-table.js'
import { PipelineTable } from './pipeline-table.js'
import { StagerTable } from './stager-table.js'

interface Found {
  readonly uuid: string
}

/** Imports sets of packages, stagers and pipelines, each in one transaction. */
export class SqliteExchange implements ExchangeRepository {
  readonly #database: StagerdDatabase
  readonly #packages: PackageTable
  readonly #stagers: StagerTable
  readonly #pipelines: PipelineTable

  constructor(database: StagerdDatabase, packages: PackageTable) {
    this.#database = database
    this.#packages = packages
    this.#stagers = new StagerTable(database)
    this.#pipelines = new PipelineTable(database)
  }

  taken(set: NamesOfSet): Promise<ReadonlySet<string>> {
    return this.#database.read(() => new Set(this.#taken(set)))
  }

  kept(packages: readonly (Name & Pick<PackageDraft, 'recipe'>)[], whenThere: WhenThere): Promise<ReadonlySet<string>> {
    return this.#database.read(() => {
      const isKept = (draft: Name & Pick<PackageDraft, 'recipe'>) => {
        const found = this.#packages.find(refTo(draft))
        return found !== undefined && keepsPackage(found, draft, whenThere)
      }
      return new Set(packages.filter(isKept).map((draft) => formatFqn('package', draft)))
    })
  }

  import(set: ExchangeSet, whenThere: WhenThere): Promise<ImportedSet> {
    return this.#database.write(() => {
      if (whenThere === 'refuse') assertNoneTaken(this.#taken(set))
      // In this order: stagers refer to packages, pipelines to stagers.
      const packages = set.packages.map((draft) =>
        put(this.#packages.find(refTo(draft)), (found) => keepsPackage(found, draft, whenThere) || lacksData(draft), {
          make: () => this.#makePackage(draft),
          replace: (found) => this.#replacePackage(found.uuid, draft),
        }),
      )
      const replaced = new Set(
        packages.filter(({ outcome }) => outcome === 'replaced').map(({ document: { uuid } }) => uuid),
      )
      const renews = ({ packageUuid }: Stager) => whenThere === 'renew' && replaced.has(packageUuid)
      const stagers = set.stagers.map(({ program, ...draft }) =>
        put(this.#stagers.find(refTo(draft)), (found) => keepsOthers(whenThere) && !renews(found), {
          make: () => this.#stagers.insert({ ...draft, packageUuid: this.#packages.get(refTo(program)).uuid }),
          replace: (found) =>
            this.#stagers.replace(found, { ...draft, packageUuid: this.#packages.get(refTo(program)).uuid }),
        }),
      )
      const uuids = (names: readonly Name[]) => names.map((name) => this.#stagers.get(refTo(name)).uuid)
      const pipelines = set.pipelines.map((draft) =>
        put(this.#pipelines.find(refTo(draft)), () => keepsOthers(whenThere), {
          make: () => this.#pipelines.insert({ ...draft, stagers: uuids(draft.stagers) }),
          replace: (found) =>
            this.#pipelines.update(found, { stagers: uuids(draft.stagers), signs: draft.signs ?? [] }),
        }),
      )
      return { packages, stagers, pipelines }
    })
  }

  #makePackage(draft: PackageDraft) {
    // It existed when the file was read, so its data was not received.
    if (!draft.resource)
      throw new Conflict(
        'state-changed',
        `${formatFqn('package', draft)} was deleted during the import: import the file again.`,
      )
    return this.#packages.insert(draft)
  }

  #replacePackage(uuid: string, draft: PackageDraft) {
    const found = this.#packages.get({ uuid })
    if (found.state === 'staging')
      throw new Conflict(
        'package-busy',
        `${formatFqn('package', found)} is being staged: wait until the staging has ended, or cancel it.`,
      )
    const { version, description, recipe, dependencies, provides, environment, templates, manifest } = draft
    return this.#packages.replace(found, {
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

  #taken({ packages, stagers, pipelines }: NamesOfSet): string[] {
    const there = (kind: FqnKind, names: readonly Name[], find: (ref: Ref) => Found | undefined) =>
      names.filter((name) => find(refTo(name))).map((name) => formatFqn(kind, name))
    return [
      ...there('package', packages, (ref) => this.#packages.find(ref)),
      ...there('job', stagers, (ref) => this.#stagers.find(ref)),
      ...there('stagpipe', pipelines, (ref) => this.#pipelines.find(ref)),
    ]
  }
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

function put<T extends Found>(
  found: T | undefined,
  keeps: (found: T) => boolean,
  { make, replace }: { readonly make: () => T; readonly replace: (found: T) => T },
): { readonly document: T; readonly outcome: Outcome } {
  if (!found) return { document: make(), outcome: 'made' }
  if (keeps(found)) return { document: found, outcome: 'skipped' }
  return { document: replace(found), outcome: 'replaced' }
}

function refTo({ namespace, name }: Name): Ref {
  return { namespace, name }
}
