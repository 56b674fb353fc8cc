import { formatFqn } from '../../../base/fqn.js'
import { isState, type Making, type ResultContent, type ResultOrigin } from '../../model/result.js'
import { isReproducible, type Staging, type WorkingCopy } from '../../model/staging.js'
import type { Package, PackageState } from '../../packages/package.js'
import { sql, type Work } from './work.js'
import type { PackageContent, PackageTable } from './package-table.js'
import type { ResultTable } from './result-table.js'
import { stateChanged } from './state-changed.js'

/** The packages of stagings, inside a transaction. Only its staging changes a package that is `staging`. */
export class StagedPackages {
  readonly #packages: PackageTable
  readonly #results: ResultTable

  constructor(packages: PackageTable, results: ResultTable) {
    this.#packages = packages
    this.#results = results
  }

  /** The state of the package when the staging was submitted. */
  *stateBefore({ sequence }: Pick<Staging, 'sequence'>): Work<PackageState | undefined> {
    return (yield* sql.one<{ readonly package_state_before: PackageState }>(
      'SELECT package_state_before FROM stagings WHERE sequence = ?',
      sequence,
    ))?.package_state_before
  }

  *change(uuid: string, content: Partial<PackageContent>): Work<Package> {
    const found = yield* this.#packages.get({ uuid })
    if (found.state !== 'staging')
      throw stateChanged(`${formatFqn('package', found)} is ${found.state}, and not staging`)
    return yield* this.#packages.replace(found, { ...found, ...content })
  }

  /** What a package is after a staging that has not succeeded. */
  *restore(uuid: string, state: PackageState): Work<void> {
    yield* this.#results.forgetOutputs(yield* this.change(uuid, { state }))
  }

  /**
   * Keeps what the stager at the step of a staging has left, unless no later staging could begin with it: see
   * docs/decisions/0084-outputs-of-stagers.md.
   */
  *keepOutput(
    { packageUuid, step, stagers, secrets, input }: Staging,
    { resource, unrepeatable }: WorkingCopy,
  ): Work<void> {
    if (!input || secrets.length > 0 || unrepeatable === true) return
    if (!stagers.slice(0, step + 1).every(isReproducible)) return
    yield* this.#results.keepOutput(yield* this.#packages.get({ uuid: packageUuid }), resource)
  }

  /** The package becomes what its staging has made. An answer that it has already is no new result. */
  *become(
    staging: Pick<Staging, 'sequence' | 'packageUuid'>,
    { resource, dependencies, provides, environment, templates, manifest }: ResultContent,
    origin: Extract<ResultOrigin, { kind: 'staging' }>,
    making: Making | undefined,
  ): Work<void> {
    const before = yield* this.#packages.get({ uuid: staging.packageUuid })
    const wasReady = (yield* this.stateBefore(staging)) === 'ready'
    if (wasReady) yield* this.#results.keep(before)
    const content = { resource, dependencies, provides, environment, templates, manifest }
    const after = yield* this.change(staging.packageUuid, { ...content, state: 'ready' })
    if (origin.reused !== undefined && wasReady && isState(content, before)) return
    const { version, description, recipe } = after
    yield* this.#results.add(after, { origin, content: { ...content, version, description, recipe }, making })
  }
}
