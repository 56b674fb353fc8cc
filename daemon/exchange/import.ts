import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import { BadInput } from '../../base/errors.js'
import { formatFqn, type FqnKind } from '../../base/fqn.js'
import { Holder, type Leases } from '../../base/leases.js'
import type { Capability } from '../packages/metadata.js'
import type { Resource } from '../packages/package.js'
import { assertMetadata } from '../packages/validate.js'
import {
  assertNoneTaken,
  type ExchangeRepository,
  type ImportedSet,
  type Name,
  type WhenThere,
} from '../store/exchange-repository.js'
import { notFound } from '../store/not-found.js'
import type { PackageQuota } from '../store/package-quota.js'
import type { PackageDraft } from '../store/repositories.js'
import type { ResourceIngest } from '../store/resource-ingest.js'
import { importSetOf, type PendingPackage, type ImportSet } from './import-set.js'
import { parseManifest } from './manifest.js'
import { spool } from './spool.js'
import { readExchangeFile, type ExchangeFile, type ZipResource } from './zip-reader.js'

export interface ImporterParts {
  readonly exchange: ExchangeRepository
  readonly ingest: Pick<ResourceIngest, 'receive'>
  readonly live: Leases
  readonly quota: PackageQuota
  /** Where the file is spooled; created when needed. */
  readonly directory: string
}

export interface ImportRequest {
  readonly whenThere: WhenThere
  /** Everything is imported into it, whatever the file says. */
  readonly namespace?: string | undefined
  /** The package in a file without a manifest. */
  readonly bare?: BarePackage | undefined
  /** What the file refers to without having it must be in such a namespace. */
  readonly maySee: (namespace: string) => boolean
}

export interface BarePackage extends Name {
  readonly provides: readonly Capability[]
  readonly dependencies: readonly Capability[]
}

/** Of a whole file, in bytes. It is spooled to the disk, so it takes no memory. */
const MAX_FILE_BYTES = 256 * 1024 ** 3

/**
 * Imports files of packages, stagers and pipelines, each file as a whole.
 *
 * INVARIANTS
 * - Nothing of a file is visible until all of it is. The stored blobs of a refused file are garbage.
 * - The body is spooled to a file first, because only the directory at the end of a ZIP file says what it contains.
 * - Memory does not grow with the length of a resource.
 */
export class Importer {
  readonly #parts: ImporterParts

  constructor(parts: ImporterParts) {
    this.#parts = parts
  }

  /**
   * Throws `BadInput` for an invalid file, `Conflict` (`already-there`, which names all; `package-busy`), `NotFound` for a
   * dangling reference, `Refused` (`package-quota`) for a package or for all of them together, and what the ingest throws.
   */
  async import(body: Readable, request: ImportRequest, signal: AbortSignal): Promise<ImportedSet> {
    const { exchange } = this.#parts
    const { file, length } = await spool(body, { directory: this.#parts.directory, maxBytes: MAX_FILE_BYTES, signal })
    const holder = new Holder()
    try {
      const content = await readExchangeFile(file, length)
      const pending = await this.#parse(content, request)
      if (request.whenThere === 'refuse') assertNoneTaken([...(await exchange.taken(namesOf(pending)))])
      const drafts = pending.packages.map(({ draft }) => draft)
      const kept = await exchange.kept(drafts, request.whenThere)
      const packages: PackageDraft[] = []
      const received = new Map<string, Resource>()
      for (const one of pending.packages) {
        const skipped = kept.has(formatFqn('package', one.draft))
        packages.push(skipped ? one.draft : await this.#receive(one, content, received, holder, signal))
      }
      await this.#parts.live.confirmAll(holder)
      return await exchange.import({ ...pending, packages }, request.whenThere)
    } finally {
      holder.release()
      await file.close()
    }
  }

  async #parse({ manifest, resources }: ExchangeFile, request: ImportRequest): Promise<ImportSet> {
    const { bare, namespace } = request
    if (manifest === undefined) return bareSet(bare, [...resources.values()])
    if (bare)
      throw new BadInput(
        'has-manifest',
        'The manifest of the file says what its packages are called and provide: import it without a name.',
      )
    const set = importSetOf(parseManifest(manifest), namespace)
    assertReferencesVisible(set, request.maySee)
    // Before any resource is read. Also finds resources that are missing from the file.
    for (const { draft, resource } of set.packages)
      await this.#assertWithinQuota(draft, resourceOf(resources, resource.file))
    return set
  }

  async #receive(
    { draft, resource: { file, expected, removals } }: PendingPackage,
    { resources }: ExchangeFile,
    received: Map<string, Resource>,
    holder: Holder,
    signal: AbortSignal,
  ): Promise<PackageDraft> {
    const { ingest, live, quota } = this.#parts
    const entry = resourceOf(resources, file)
    const key = `${file} ${expected.sha256 ?? ''}`
    let resource = received.get(key)
    if (!resource) {
      await this.#assertWithinQuota(draft, entry)
      const maxBytes = await quota.of(draft.namespace)
      resource = (await ingest.receive(await entry.open(), { ...expected, maxBytes }, signal)).resource
      live.hold(resource.sha256, holder)
      received.set(key, resource)
    }
    return { ...draft, resource: { ...resource, uuid: randomUUID(), removals } }
  }

  async #assertWithinQuota(draft: Name, { length }: ZipResource): Promise<void> {
    await this.#parts.quota.assert(draft.namespace, length)
  }
}

function bareSet(bare: BarePackage | undefined, resources: readonly ZipResource[]): ImportSet {
  const [only, ...others] = resources
  if (!only)
    throw new BadInput('bad-exchange-file', 'The file contains no package: it has no PACKAGE_RESOURCE_0001.tar.gz.')
  if (others.length > 0)
    throw new BadInput(
      'no-manifest',
      `The file has ${resources.length} resources and no manifest of stagerd that describes them: import each with \`stagectl package from-file\`.`,
    )
  if (!bare)
    throw new BadInput(
      'no-manifest',
      'The file has no manifest of stagerd: describe its package with --name and --provides.',
    )
  const { namespace, name, provides, dependencies } = bare
  const metadata = { provides, dependencies, environment: {}, templates: [] }
  assertMetadata(metadata)
  const draft = { namespace, name, ...metadata, state: 'ready' as const }
  return {
    packages: [{ draft, resource: { file: only.name, expected: {}, removals: [] } }],
    stagers: [],
    pipelines: [],
  }
}

function resourceOf(resources: ReadonlyMap<string, ZipResource>, file: string): ZipResource {
  const found = resources.get(file)
  if (!found)
    throw new BadInput(
      'bad-manifest',
      `The manifest names the resource ${JSON.stringify(file)}, which is not in the file.`,
    )
  return found
}

function namesOf({ packages, stagers, pipelines }: ImportSet) {
  return { packages: packages.map(({ draft }) => draft), stagers, pipelines }
}

/** Throws `NotFound`. */
function assertReferencesVisible({ packages, stagers, pipelines }: ImportSet, maySee: ImportRequest['maySee']): void {
  const assertVisible = (kind: FqnKind, inFile: readonly Name[], ref: Name) => {
    const isInFile = inFile.some(({ namespace, name }) => namespace === ref.namespace && name === ref.name)
    if (!isInFile && !maySee(ref.namespace)) throw notFound(kind, ref)
  }
  const drafts = packages.map(({ draft }) => draft)
  for (const { program } of stagers) assertVisible('package', drafts, program)
  for (const pipeline of pipelines) for (const stager of pipeline.stagers) assertVisible('job', stagers, stager)
}
