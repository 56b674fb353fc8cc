import type { Readable } from 'node:stream'
import { NotFound } from '../../base/errors.js'
import { formatFqn } from '../../base/fqn.js'
import { Holder, type Leases } from '../../base/leases.js'
import { canonicalJson } from '../../base/canonical-json.js'
import type { ArchiveEntries } from '../../isolation/archive-entry.js'
import { isState, type Result, type ResultContent } from '../model/result.js'
import { METADATA_FIELDS, type MetadataField } from '../model/result-names.js'
import { stated } from '../packages/manifest/apply-manifest.js'
import type { Package } from '../packages/package.js'
import type { BlobStore } from '../store/blob-store.js'
import type { Ref } from '../store/repositories.js'
import type { ResultRepository } from '../store/result-repository.js'
import { compareTrees, type Comparison } from './compare-entries.js'

export interface ResultDiff extends Comparison {
  readonly package: Package
  readonly from: number
  /** Undefined for the state of the package. */
  readonly to: number | undefined
  readonly packageMetadata: readonly {
    readonly field: MetadataField
    readonly before: unknown
    readonly after: unknown
  }[]
}

export interface ResultDiffParts {
  readonly results: Pick<ResultRepository, 'history'>
  readonly blobs: Pick<BlobStore, 'open'>
  readonly live: Leases
  readonly readEntries: (archive: Readable, signal: AbortSignal) => Promise<ArchiveEntries>
}

/** Of the changes that a comparison lists. All are counted. */
const MAX_CHANGES = 10_000

/** Compares what packages keep. One comparison reads two archives, one after the other. */
export class ResultDiffs {
  constructor(private readonly parts: ResultDiffParts) {}

  /**
   * @param from default: the newest result that differs from the state of the package
   * @param to default: the state of the package
   *
   * Throws `NotFound` (`package-not-found`, `no-such-result`, `no-earlier-result`, `package-empty`).
   */
  async compare(ref: Ref, { from, to }: DiffOptions, signal: AbortSignal): Promise<ResultDiff> {
    const history = await this.parts.results.history(ref)
    const found = history.package
    const after = to === undefined ? presentOf(found) : resultOf(history, to).content
    const earlier = from === undefined ? earlierOf(history) : resultOf(history, from)
    const before = earlier.content
    const holder = new Holder()
    for (const { resource } of [before, after]) this.parts.live.hold(resource.sha256, holder)
    try {
      const trees = {
        before: await this.#treeOf(before, signal),
        after: before.resource.sha256 === after.resource.sha256 ? undefined : await this.#treeOf(after, signal),
      }
      return {
        package: found,
        from: earlier.number,
        to,
        packageMetadata: metadataChanges(before, after),
        ...compareTrees(trees.before, trees.after ?? { ...trees.before, ...after.resource }, MAX_CHANGES),
      }
    } finally {
      holder.release()
    }
  }

  async #treeOf({ resource }: ResultContent, signal: AbortSignal) {
    const { stream } = await this.parts.blobs.open(resource.sha256)
    return { entries: await this.parts.readEntries(stream, signal), removals: resource.removals }
  }
}

export interface DiffOptions {
  readonly from?: number | undefined
  readonly to?: number | undefined
}

interface History {
  readonly package: Package
  readonly results: readonly Result[]
}

function resultOf({ package: found, results }: History, number: number): Result {
  const result = results.find((one) => one.number === number)
  if (result) return result
  throw new NotFound(
    'no-such-result',
    `${formatFqn('package', found)} keeps no result ${number}: choose one of those that its history shows.`,
  )
}

function earlierOf({ package: found, results }: History): Result {
  const earlier = results.find(({ content }) => !isState(content, found))
  if (earlier) return earlier
  throw new NotFound(
    'no-earlier-result',
    `${formatFqn('package', found)} keeps no result other than the one that it has: stage it first.`,
  )
}

function presentOf({ resource, ...found }: Package): ResultContent {
  if (resource) return { ...found, resource }
  throw new NotFound('package-empty', `${formatFqn('package', found)} has no data yet: upload data, or stage it.`)
}

function metadataChanges(before: ResultContent, after: ResultContent): ResultDiff['packageMetadata'] {
  return METADATA_FIELDS.map((field) => ({
    field,
    before: stated(before, field) ?? null,
    after: stated(after, field) ?? null,
  })).filter((change) => canonicalJson(change.before) !== canonicalJson(change.after))
}
