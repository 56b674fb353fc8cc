import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { extract, pack, type Extract, type Header, type Pack } from 'tar-stream'
import { BadInput, StagerdError, Unavailable } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { ENGINE_MARKER, KERNEL_DIRECTORIES, MOUNTED_FILES } from '../injected-files.js'
import { withRunner } from './image-runner.js'

/** In bytes. To add `runner`, a list of users is read into memory. */
const LONGEST_USER_LIST = 4 * 1024 * 1024

/** In seconds since 1970: the latest time that tar-stream writes to a header. */
const LATEST_FIELD = 2 ** 31 - 1

const KEPT_TYPES = ['file', 'directory', 'symlink', 'link'] as const

/**
 * Converts the export of a container that never ran to the tar of a package. `Isolation.readImage` lists its errors.
 *
 * It leaves out
 * - devices, pipes and sockets: a package cannot have them;
 * - what the Engine injects (isolation/injected-files.ts): the content of /dev, /proc and /sys, `/.dockerenv`, and the
 *   other files where they are empty. The link `/etc/mtab` stays, because an image can have the same;
 * - extended attributes: file capabilities are among them, which a package must not have;
 * - the paths of the plan.
 *
 * A hard link to a symbolic link becomes a symbolic link, because the ingest refuses it. `runner` is added to
 * `/etc/passwd` and `/etc/group` if it is missing: nothing could run on the package without it.
 */
export function imageTree(
  exported: Readable,
  plan: { readonly reference: string; readonly leaveOut: readonly string[] },
  signal: AbortSignal,
): Readable {
  const reader = extract()
  const tar = pack()
  const fed = pipeline(exported, reader, { signal })
  fed.catch(() => undefined)
  const tree = new TreeFilter(tar, plan)
  const rewriting = (async () => {
    for await (const entry of reader) await tree.add(entry)
    await fed
    tar.finalize()
  })()
  let failure: unknown
  rewriting.catch((error: unknown) => {
    failure = error
    exported.destroy()
    tar.destroy()
  })
  async function* rewritten(): AsyncGenerator<Uint8Array> {
    try {
      yield* tar as AsyncIterable<Uint8Array>
      await rewriting
    } catch (error) {
      throw errorOf(failure ?? error, plan.reference, signal)
    }
  }
  return Readable.from(rewritten(), { objectMode: false })
}

type Entry = Extract extends AsyncIterable<infer One> ? One : never
/** The types of tar-stream do not say that `linkname` is null where the entry is no link. */
type Found = Omit<Header, 'linkname'> & { readonly linkname: string | null }
type Kept = Partial<Header> & Pick<Header, 'name'>

class TreeFilter {
  readonly #leaveOut: readonly string[]
  /** Targets of symbolic links by their paths: hard links may name them. */
  readonly #symlinks = new Map<string, string>()
  readonly #dropped = new Set<string>()

  constructor(
    private readonly tar: Pack,
    { leaveOut }: { readonly leaveOut: readonly string[] },
  ) {
    this.#leaveOut = leaveOut.map((path) => path.replace(/^\/|\/$/g, ''))
  }

  async add(entry: Entry): Promise<void> {
    const header: Found = entry.header
    const { linkname } = header
    const path = plain(header.name)
    const type = KEPT_TYPES.find((one) => one === header.type)
    // Names that are not UTF-8 cannot be restored: tar-stream has replaced their bytes.
    if (`${path}${linkname ?? ''}`.includes('\ufffd'))
      throw new BadInput('archive-refused', `The image has a name that is not UTF-8: ${quote(`/${path}`)}.`)
    if (path === '' || type === undefined || this.#isLeftOut(path, header)) {
      if (type !== 'directory') this.#dropped.add(path)
      entry.resume()
      return
    }
    const kept = { ...commonOf(header), name: path, type }
    switch (type) {
      case 'file':
        await this.#addFile(entry, kept)
        return
      case 'link':
        this.#addLink(plain(linkname ?? ''), kept)
        break
      case 'symlink':
        this.#symlinks.set(path, linkname ?? '')
        this.tar.entry({ ...kept, linkname: linkname ?? '' })
        break
      case 'directory':
        this.tar.entry({ ...kept, name: `${path}/` })
    }
    entry.resume()
  }

  async #addFile(entry: Entry, kept: Kept): Promise<void> {
    const { size } = entry.header
    const added = withRunner(kept.name)
    if (added && size <= LONGEST_USER_LIST) {
      this.tar.entry(kept, added(await buffer(entry)))
      return
    }
    await pipeline(entry as unknown as Readable, this.tar.entry({ ...kept, size }) as unknown as NodeJS.WritableStream)
  }

  #addLink(target: string, kept: Kept): void {
    const linkname = this.#symlinks.get(target)
    if (linkname !== undefined) this.tar.entry({ ...kept, type: 'symlink', linkname })
    else if (!this.#dropped.has(target)) this.tar.entry({ ...kept, linkname: target })
    else
      throw new BadInput(
        'archive-refused',
        `In the image ${quote(`/${kept.name}`)} and ${quote(`/${target}`)} are one file, and only the second is left out: leave out both or none.`,
      )
  }

  #isLeftOut(path: string, { type, size }: Found): boolean {
    return (
      path === ENGINE_MARKER ||
      KERNEL_DIRECTORIES.some((directory) => path.startsWith(`${directory}/`)) ||
      (MOUNTED_FILES.has(path) && type === 'file' && size === 0) ||
      this.#leaveOut.some((out) => path === out || path.startsWith(`${out}/`))
    )
  }
}

/**
 * Of the pax header it keeps the owners, because the ustar header has no space for ids above two million, and the time,
 * which tar-stream neither reads there nor writes to the header after 2038.
 */
function commonOf({ mode, mtime, uid, gid, pax }: Found): Omit<Kept, 'name'> {
  const kept = Object.entries(pax ?? {}).filter(([key]) => key === 'uid' || key === 'gid' || key === 'mtime')
  const second = mtime.getTime() / 1000
  const fits = second <= LATEST_FIELD
  if (!fits && !kept.some(([key]) => key === 'mtime')) kept.push(['mtime', String(second)])
  return {
    mode,
    mtime: new Date(Math.min(second, LATEST_FIELD) * 1000),
    uid,
    gid,
    ...(kept.length === 0 ? {} : { pax: Object.fromEntries(kept) }),
  }
}

function plain(name: string): string {
  return name
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
    .join('/')
}

function errorOf(error: unknown, reference: string, signal: AbortSignal): Error {
  if (signal.aborted && signal.reason instanceof Error) return signal.reason
  if (error instanceof StagerdError) return error
  return new Unavailable('export-failed', `The Docker Engine did not complete the export of ${quote(reference)}.`, {
    cause: error,
  })
}
