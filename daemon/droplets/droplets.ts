import type { Readable } from 'node:stream'
import { BadInput, Conflict, NotFound } from '../../base/errors.js'
import { formatFqn, quote } from '../../base/fqn.js'
import { Holder, type Leases } from '../../base/leases.js'
import { RUNNER } from '../../base/runner.js'
import { tarEntry } from '../../base/tar-blocks.js'
import { tarTime } from '../../base/tar-time.js'
import { unpackEntry, type ArchiveEntries } from '../../isolation/archive-entry.js'
import type { Compression } from '../../isolation/compression.js'
import type { ResultContent } from '../model/result.js'
import { APP, dropletScripts } from '../packages/droplet/scripts.js'
import { startPathOf } from '../packages/environment.js'
import { blobsOf, type Package, type Resource } from '../packages/package.js'
import { DEFAULT_DELIMITERS } from '../packages/template/fill-in.js'
import type { BlobStore } from '../store/blob-store.js'
import { openVerified } from '../store/open-verified.js'
import type { PackageRepository, Ref } from '../store/repositories.js'

export interface DropletsParts {
  readonly packages: Pick<PackageRepository, 'get'>
  readonly blobs: Pick<BlobStore, 'open'>
  readonly live: Leases
  readonly readEntries: (body: Readable, signal: AbortSignal) => Promise<ArchiveEntries>
  /** What is below a directory of an archive, at another place, as gzip; `first` are members before it. */
  readonly move: (
    body: Readable,
    compression: Compression,
    options: {
      readonly move: { readonly from: string; readonly to: string }
      readonly first: Promise<Uint8Array>
      readonly signal: AbortSignal
    },
  ) => Promise<Readable>
}

export interface Droplet {
  /** Of the package. */
  readonly name: string
  /** A tar as gzip. The same data and metadata of a package give the same bytes. */
  readonly stream: Readable
}

/** What was chosen by a stager for its next staging, and what the startup script has elsewhere. */
const NOT_EXPORTED = new Set([
  'START_COMMAND',
  'START_PATH',
  'STAGER_ADDED',
  'STAGER_START_COMMAND',
  'STAGER_GIVEN_START',
  'STAGER_CONFIG_VARS',
])

/**
 * Makes droplets of ready packages: `app/`, `logs/`, `tmp/`, `startup` and `stop`, as the execution agents of Cloud
 * Foundry unpack and start them.
 *
 * A droplet has no layers below it. So it contains the application only, and what would be missing then is refused:
 * files outside of START_PATH, and what is filled in when a package runs.
 */
export class Droplets {
  readonly #parts: DropletsParts

  constructor(parts: DropletsParts) {
    this.#parts = parts
  }

  /**
   * The caller reads the stream to its end, or destroys it. Everything that can be refused is refused before.
   *
   * Throws `NotFound` (`package-not-found`, `package-empty`), `Conflict` (`package-not-ready`), `BadInput`
   * (`no-start-command`, `not-for-droplets`, `bad-environment`), `Fault` (`blob-corrupt`).
   *
   * @param contentOf what the package was at another time; by default, or where it gives nothing, what it is now
   * @param log for logs/staging.log; by default, there is none
   */
  async open(
    ref: Ref,
    signal: AbortSignal,
    { contentOf, log }: { readonly contentOf?: () => Promise<ResultContent | undefined>; readonly log?: string } = {},
  ): Promise<Droplet> {
    const { packages, blobs, live, readEntries, move } = this.#parts
    const holder = new Holder()
    try {
      const find = async () => ({ ...(await packages.get(ref)), ...(await contentOf?.()) })
      const found = await live.holdFound(holder, find, blobsOf)
      const resource = dataOf(found)
      const from = (startPathOf(found.environment) ?? '/').slice(1)
      const scripts = scriptsOf(found)
      const { stream: checked } = await blobs.open(resource.sha256)
      const first = readEntries(checked, signal).then((entries) => {
        const { mode } = topOf(found, from, entries)
        return Buffer.concat([
          directory('logs'),
          ...(log === undefined ? [] : [file('logs/staging.log', log, 0o644)]),
          directory('tmp'),
          file('startup', scripts.startup, 0o500),
          file('stop', scripts.stop, 0o500),
          tarEntry({ path: APP, kind: 'directory', mode, owner: RUNNER, time: EPOCH }),
        ])
      })
      // If it is not waited for, because something else fails first.
      first.catch(() => undefined)
      const { stream: stored } = await openVerified(blobs, resource.sha256, signal)
      return {
        name: found.name,
        stream: await move(stored, resource.compression, { move: { from, to: APP }, first, signal }),
      }
    } finally {
      holder.release()
    }
  }
}

function dataOf(found: Package): Resource {
  const { resource, usable, state } = found
  const fqn = formatFqn('package', found)
  if (!usable)
    throw new Conflict(
      'package-not-ready',
      `${fqn} is ${state}: a droplet is made of a ready package; stage it first, with \`stagectl stage\`.`,
    )
  if (!resource)
    throw new NotFound('package-empty', `${fqn} has no data: a droplet is made of the data of a staged package.`)
  return resource
}

function scriptsOf(found: Package): ReturnType<typeof dropletScripts> {
  const fqn = formatFqn('package', found)
  const { environment, templates, manifest, dependencies } = found
  const command = environment.START_COMMAND ?? ''
  if (command === '')
    throw new BadInput(
      'no-start-command',
      `${fqn} has no START_COMMAND, which a droplet starts: set one with \`stagectl package update --env-set START_COMMAND=…\`.`,
    )
  const filled = Object.entries(manifest?.env ?? {}).find(
    ([name, value]) => environment[name] === value && value.includes(DEFAULT_DELIMITERS.left),
  )
  const template = templates[0]?.path ?? filled?.[0]
  if (template !== undefined)
    throw notForDroplets(fqn, `${quote(template)} is a template, which only stagerd fills in: give it its final text`)
  const exported = Object.entries(environment).filter(([name]) => !NOT_EXPORTED.has(name))
  return dropletScripts({
    command,
    environment: Object.fromEntries(exported.sort(([a], [b]) => (a < b ? -1 : 1))),
    startPath: startPathOf(environment) ?? '/',
    dependencies,
  })
}

/** What the directory of the application is, after everything else was found to be in it. */
function topOf(found: Package, from: string, entries: ArchiveEntries): { readonly mode: number } {
  const fqn = formatFqn('package', found)
  const shown = (path: string) => quote(`/${Buffer.from(path, 'latin1').toString()}`)
  if (from === '') return { mode: 0o755 }
  for (const [path, packed] of entries)
    if (path !== from && !path.startsWith(`${from}/`) && unpackEntry(packed).kind !== 'directory')
      throw notForDroplets(
        fqn,
        `${shown(path)} is outside of ${shown(from)}, where the application is: have its stager put everything there`,
      )
  const top = entries.get(from)
  if (!top) return { mode: 0o755 }
  const { kind, mode } = unpackEntry(top)
  if (kind !== 'directory')
    throw notForDroplets(fqn, `${shown(from)}, its START_PATH, is no directory: have its stager make it one`)
  return { mode }
}

function notForDroplets(fqn: string, why: string): BadInput {
  return new BadInput('not-for-droplets', `${fqn} cannot become a droplet, because ${why}.`)
}

const EPOCH = tarTime(0n)

function directory(path: string): Buffer {
  return tarEntry({ path, kind: 'directory', mode: 0o755, owner: RUNNER, time: EPOCH })
}

function file(path: string, text: string, mode: number): Buffer {
  const body = Buffer.from(text)
  const header = tarEntry({ path, kind: 'file', mode, owner: RUNNER, time: EPOCH, size: body.length })
  return Buffer.concat([header, body, Buffer.alloc(-body.length & 511)])
}
