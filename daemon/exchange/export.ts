import { PassThrough, pipeline, type Readable } from 'node:stream'
import { ZipFile } from 'yazl'
import { Conflict, Fault, messageOf, NotFound, Refused } from '../../base/errors.js'
import { formatFqn } from '../../base/fqn.js'
import { Holder, type Leases } from '../../base/leases.js'
import { renderLimits } from '../documents/convert-limits.js'
import type { Capability } from '../packages/metadata.js'
import { blobsOf, type Package, type Resource } from '../packages/package.js'
import type { BlobStore } from '../store/blob-store.js'
import { openVerified } from '../store/open-verified.js'
import type {
  PackageRepository,
  Pipeline,
  PipelineRepository,
  Ref,
  Stager,
  StagerRepository,
} from '../store/repositories.js'
import { MANIFEST_FILE, printManifest, type PackageEntry, type StagerEntry } from './manifest.js'
import { resourceName } from './resource-names.js'

export interface ExporterParts {
  readonly packages: Pick<PackageRepository, 'get'>
  readonly stagers: Pick<StagerRepository, 'get'>
  readonly pipelines: Pick<PipelineRepository, 'get'>
  readonly blobs: Pick<BlobStore, 'open'>
  readonly live: Leases
  /** The packages that the dependencies of `subject` resolve to. */
  readonly closure: (subject: Package, dependencies: readonly Capability[]) => Promise<readonly Package[]>
}

export interface ExportRequest {
  readonly packages: readonly Ref[]
  /** Exported with their stagers, and the packages of the stagers. */
  readonly pipelines: readonly Ref[]
  /** Include everything that the packages and the stagers depend on. */
  readonly withDependencies: boolean
  /** What the file would contain must all be in such namespaces. */
  readonly maySee: (namespace: string) => boolean
}

export interface ExportedFile {
  /** Must be consumed or destroyed. Errors at a damaged blob; the truncated file is not a valid ZIP file. */
  readonly stream: Readable
  /** In bytes. Known before the first byte is sent. */
  readonly length: number
}

/** A fixed time, so that the same packages always give the same file. ZIP has no earlier time. */
const MTIME = new Date(1980, 0, 1)

/**
 * Exports packages, stagers and pipelines as one file that another daemon can import.
 *
 * INVARIANT: the blobs of the exported packages are held from the moment at which a package is read until the stream is
 * closed. A package may be deleted meanwhile.
 */
export class Exporter {
  readonly #parts: ExporterParts

  constructor(parts: ExporterParts) {
    this.#parts = parts
  }

  /**
   * Throws `NotFound` (`package-not-found`, `pipeline-not-found`, `package-empty`), `Conflict` (`package-busy`),
   * `Refused` (`export-forbidden`), `Unresolved`, `Fault` (`blob-corrupt`); all of them before the first byte.
   */
  async export(request: ExportRequest, signal: AbortSignal): Promise<ExportedFile> {
    const holder = new Holder()
    try {
      const exported = await this.#export(request, holder, signal)
      exported.stream.once('close', () => holder.release())
      return exported
    } catch (error) {
      holder.release()
      throw error
    }
  }

  async #export(request: ExportRequest, holder: Holder, signal: AbortSignal): Promise<ExportedFile> {
    const { pipelines, stagers, packages } = await this.#collect(request, holder)
    const programs = new Map(packages.map((found) => [found.uuid, found]))
    const stagerNames = new Map(stagers.map((found) => [found.uuid, formatFqn('job', found)]))
    const files = new Map<string, string>()
    const fileOf = ({ sha256 }: Resource) => {
      if (!files.has(sha256)) files.set(sha256, resourceName(files.size + 1))
      return files.get(sha256) ?? ''
    }
    const manifest = printManifest({
      packages: packages.map((found) => packageEntry(found, fileOf)),
      stagers: stagers.map((found) =>
        stagerEntry(found, formatFqn('package', programs.get(found.packageUuid) ?? found)),
      ),
      pipelines: pipelines.map((found) => ({
        fqn: formatFqn('stagpipe', found),
        stagers: found.stagers.map((uuid) => stagerNames.get(uuid) ?? uuid),
        ...(found.signs.length === 0 ? {} : { signs: [...found.signs] }),
      })),
    })
    for (const found of packages) await this.#assertSound(found, signal)
    const lengths = new Map(packages.map(({ resource }) => [resource?.sha256 ?? '', resource?.length ?? 0]))
    return this.#pack(
      manifest,
      [...files].map(([sha256, name]) => ({ sha256, name, length: lengths.get(sha256) ?? 0 })),
    )
  }

  /** Damage is known before a byte is sent. What is damaged afterwards ends the stream before its end. */
  async #assertSound(found: Package, signal: AbortSignal): Promise<void> {
    for (const sha256 of blobsOf(found))
      try {
        const { stream } = await openVerified(this.#parts.blobs, sha256, signal)
        stream.destroy()
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'blob-corrupt') throw error
        const name = formatFqn('package', found)
        throw new Fault(error.code, `${name} cannot be exported: ${messageOf(error)}`, { cause: error })
      }
  }

  async #collect({ packages, pipelines, withDependencies, maySee }: ExportRequest, holder: Holder) {
    const { closure, live } = this.#parts
    const chosen = new Map<string, Package>()
    const choose = async (ref: Ref) => {
      const one = await live.holdFound(holder, () => this.#parts.packages.get(ref), blobsOf)
      chosen.set(one.uuid, one)
      return one
    }
    const addDependencies = async (one: Package, dependencies: readonly Capability[]) => {
      if (!withDependencies) return
      const all = await live.holdFound(
        holder,
        () => closure(one, dependencies),
        (them) => them.flatMap(blobsOf),
      )
      for (const dependency of all) chosen.set(dependency.uuid, dependency)
    }
    for (const ref of packages) {
      const one = await choose(ref)
      await addDependencies(one, one.dependencies)
    }
    const found = { pipelines: new Map<string, Pipeline>(), stagers: new Map<string, Stager>() }
    for (const ref of pipelines) {
      const pipeline = await this.#parts.pipelines.get(ref)
      found.pipelines.set(pipeline.uuid, pipeline)
      for (const uuid of pipeline.stagers) {
        const stager = await this.#parts.stagers.get({ uuid })
        const program = await choose({ uuid: stager.packageUuid })
        found.stagers.set(uuid, stager)
        await addDependencies(program, [...stager.dependencies, ...program.dependencies])
      }
    }
    // In order of import, which decides between equal candidates: the importing daemon then decides as this one does.
    const inOrder = [...chosen.values()].sort((a, b) => a.importOrder - b.importOrder)
    inOrder.forEach(assertExportable)
    const hidden = [...inOrder, ...found.stagers.values()].find(({ namespace }) => !maySee(namespace))
    if (hidden)
      throw new Refused(
        'export-forbidden',
        `The file would contain something of the namespace ${hidden.namespace}, which the token may not see: export less, or use a token for that namespace, too.`,
      )
    return { packages: inOrder, stagers: [...found.stagers.values()], pipelines: [...found.pipelines.values()] }
  }

  /** Entries are stored, not deflated, because resources are already compressed. One blob is open at a time. */
  #pack(
    manifest: string,
    resources: readonly { readonly sha256: string; readonly name: string; readonly length: number }[],
  ): ExportedFile {
    const zip = new ZipFile()
    const stream = new PassThrough()
    const opened: Readable[] = []
    const fail = (error: unknown) => stream.destroy(error instanceof Error ? error : new Error(messageOf(error)))
    zip.on('error', fail)
    // yazl does not close its input when its output is destroyed.
    pipeline(zip.outputStream, stream, () => opened.at(-1)?.destroy())
    const options = { compress: false, mtime: MTIME, forceDosTimestamp: true, mode: 0o100644 }
    zip.addBuffer(Buffer.from(manifest), MANIFEST_FILE, options)
    for (const { sha256, name, length } of resources)
      zip.addReadStreamLazy(name, { ...options, size: length }, (done) => {
        this.#parts.blobs.open(sha256).then((blob) => {
          opened.push(blob.stream.on('error', fail))
          if (stream.destroyed) blob.stream.destroy()
          else done(undefined, blob.stream)
        }, fail)
      })
    let total = 0
    // yazl's types lack the argument of the callback. All sizes are known, so it calls back before it returns.
    zip.end(undefined, ((size: number) => (total = size)) as unknown as () => void)
    return { stream, length: total }
  }
}

function packageEntry(found: Package, fileOf: (resource: Resource) => string): PackageEntry {
  const { resource, dependencies, provides, environment, templates, version, description, recipe, manifest } = found
  if (!resource) throw packageEmpty(found)
  return {
    fqn: formatFqn('package', found),
    state: found.usable ? 'ready' : 'uploaded',
    dependencies: [...dependencies],
    provides: [...provides],
    environment: { ...environment },
    templates: [...templates],
    ...(version === undefined ? {} : { version }),
    ...(description === undefined ? {} : { description }),
    ...(recipe === undefined ? {} : { recipe }),
    ...(manifest === undefined ? {} : { manifest: structuredClone(manifest) as NonNullable<PackageEntry['manifest']> }),
    resource: {
      file: fileOf(resource),
      digest: `sha256:${resource.sha256}`,
      ...(resource.sha1 === undefined ? {} : { sha1: `sha1:${resource.sha1}` }),
      length: resource.length,
      removals: [...resource.removals],
    },
  }
}

function stagerEntry(found: Stager, program: string): StagerEntry {
  return {
    fqn: formatFqn('job', found),
    package: program,
    start_command: found.startCommand,
    additive: found.additive,
    allow_egress: found.egress,
    ...(found.reproducible === true ? { reproducible: true } : {}),
    ...(found.cleanEnvironment === true ? { clean_environment: true } : {}),
    ...(found.secrets ? { secrets: [...found.secrets] } : {}),
    user: found.user,
    limits: renderLimits(found.limits),
    dependencies: [...found.dependencies],
    ...(found.expects ? { expects: [...found.expects] } : {}),
    ...(found.labels ? { labels: [...found.labels] } : {}),
    environment: { ...found.environment },
  }
}

function assertExportable(found: Package): void {
  if (!found.resource) throw packageEmpty(found)
  if (found.state === 'staging' && !found.usable)
    throw new Conflict(
      'package-busy',
      `${formatFqn('package', found)} is being staged: wait until the staging has ended, or cancel it.`,
    )
}

function packageEmpty(found: Package): NotFound {
  return new NotFound(
    'package-empty',
    `${formatFqn('package', found)} has no data to export: upload some, or stage it.`,
  )
}
