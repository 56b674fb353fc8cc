import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { ArchiveEntry } from '../../isolation/archive-entry.js'
import type { ArchiveObserver } from '../../isolation/archive-observer.js'
import { APP } from '../packages/droplet/scripts.js'
import { recordedDependencies } from '../packages/droplet/recorded-dependencies.js'
import type { Capability } from '../packages/metadata.js'

/** How much of the startup script is read: what stagerd records is at its beginning. */
const STARTUP_BYTES = 16 * 1024

const SCRIPTS = ['startup', 'stop']
/** What runs a droplet makes the last two where they are missing. */
const DIRECTORIES = [APP, 'logs', 'tmp']

type Top = Pick<ArchiveEntry, 'kind' | 'mode'> | 'hard link'

/** Looks at an archive while it is read: whether it is a droplet, and what it says of its dependencies. */
export class DropletContents implements ArchiveObserver {
  /** By their names. Of two entries with one name the later one counts, as when they are unpacked. */
  readonly #top = new Map<string, Top>()
  #startup: Buffer = Buffer.alloc(0)
  #readsStartup = false

  member(path: string, entry: ArchiveEntry): void {
    this.#note(path, entry)
  }

  hardLink(path: string): void {
    this.#note(path, 'hard link')
  }

  data(piece: Buffer): void {
    if (!this.#readsStartup || this.#startup.length >= STARTUP_BYTES) return
    this.#startup = Buffer.concat([this.#startup, piece.subarray(0, STARTUP_BYTES - this.#startup.length)])
  }

  /** After the end of the archive. Throws `BadInput` (`bad-droplet`) if it is no droplet. */
  assertDroplet(): void {
    for (const name of SCRIPTS) {
      const found = this.#top.get(name)
      if (!found)
        throw badDroplet(
          `it has no file ${quote(name)}, which ${name === 'stop' ? 'ends' : 'starts'} the application: give a droplet, such as \`stagectl package droplet\` writes`,
        )
      if (found === 'hard link' || found.kind !== 'file')
        throw badDroplet(`its ${quote(name)} is a ${kindOf(found)}, and must be a file of its own`)
      if ((found.mode & 0o100) === 0)
        throw badDroplet(`its ${quote(name)} cannot be executed by its owner: give it the mode 0500`)
    }
    for (const name of DIRECTORIES) {
      const found = this.#top.get(name)
      if (!found && name === APP) throw badDroplet(`it has no directory ${quote(name)}, which is the application`)
      if (found && (found === 'hard link' || found.kind !== 'directory'))
        throw badDroplet(`its ${quote(name)} is a ${kindOf(found)}, and must be a directory`)
    }
  }

  /** After the end of the archive. Empty for a droplet that stagerd has not made. */
  get dependencies(): readonly Capability[] {
    return recordedDependencies(this.#startup.toString())
  }

  #note(path: string, entry: Top): void {
    const slash = path.indexOf('/')
    this.#readsStartup = path === 'startup'
    if (this.#readsStartup) this.#startup = Buffer.alloc(0)
    if (slash < 0) this.#top.set(path, entry)
    // An entry in a directory makes it, if nothing did before.
    else if (!this.#top.has(path.slice(0, slash)))
      this.#top.set(path.slice(0, slash), { kind: 'directory', mode: 0o755 })
  }
}

function kindOf(found: Top): string {
  if (found === 'hard link') return found
  return found.kind === 'symlink' ? 'symbolic link' : found.kind
}

function badDroplet(why: string): BadInput {
  return new BadInput('bad-droplet', `The file cannot run as a droplet: ${why}.`)
}
