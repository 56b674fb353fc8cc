import type Docker from 'dockerode'
import { Unavailable } from '../../base/errors.js'
import { IdMap } from '../archive/id-map.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import { readKernelFile, readKernelLink } from '../host/kernel-file.js'
import { makeUserNamespace } from '../host/user-namespace.js'
import { askEngine, understood } from './engine-errors.js'
import { guessMap, SUBORDINATE_ID_FILES } from './subordinate-ids.js'

type IdMaps = Pick<MappedOwners, 'uids' | 'gids'>

interface Settings {
  readonly directory: string
  readonly owners: MappedOwners | undefined
}

/**
 * What the Engine was started with, as far as files depend on it. It is asked for once: only another start of the Engine
 * changes it.
 *
 * OWNERS. With `--userns-remap` the Engine runs containers in user namespaces, and its layers have shifted owners on the
 * disk. No request of its API tells the map. So it is guessed, and compared with that of each container before the
 * program starts: no program runs on files that were made for another map.
 */
export class EngineSettings {
  #settings: Promise<Settings> | undefined
  #observed: IdMaps | undefined
  readonly #namespaces = new Map<string, Promise<string>>()

  constructor(
    private readonly engine: Docker,
    private readonly files = SUBORDINATE_ID_FILES,
  ) {}

  /** The root directory of the Engine. Throws `Unavailable` (`engine-down`, `engine-rootless`). */
  async directory(): Promise<string> {
    return (await this.#get()).directory
  }

  /** Undefined if the Engine maps none. Throws as `directory` does, and `Fault` (`user-namespace-failed`). */
  async owners(): Promise<MappedOwners | undefined> {
    return (await this.#get()).owners
  }

  /**
   * Throws `Unavailable` (`engine-changed`) if the container has other owners than `expected`. The next call of `owners`
   * returns those.
   *
   * @param pid a process of the container, which must not end during the call
   */
  confirm(pid: number, expected: MappedOwners | undefined): void {
    const observed = mapsOf(pid)
    if (keyOf(observed) === keyOf(expected)) return
    this.forget()
    this.#observed = observed
    throw new Unavailable(
      'engine-changed',
      'The Docker Engine maps the owners of files in another way than stagerd expected (userns-remap), as after a restart with other settings: try again, now that the map is known.',
    )
  }

  /** The next call asks the Engine again. */
  forget(): void {
    this.#settings = undefined
  }

  #get(): Promise<Settings> {
    this.#settings ??= this.#ask().catch((error: unknown) => {
      this.forget()
      throw error
    })
    return this.#settings
  }

  async #ask(): Promise<Settings> {
    const what = 'report its settings'
    const info = (await askEngine(what, this.engine.info())) as EngineInfo
    const { DockerRootDir: directory, SecurityOptions } = understood(what, info, hasSettings)
    const options = new Set((SecurityOptions ?? []).map((option) => option.split(',')[0]))
    if (options.has('name=rootless'))
      throw new Unavailable(
        'engine-rootless',
        'The Docker Engine is rootless, so its networks and mounts are out of reach: point DOCKER_HOST to an Engine that runs as root.',
      )
    const maps = options.has('name=userns') ? await this.#mapsBelow(directory) : undefined
    return { directory, owners: maps && { ...maps, namespace: await this.#namespaceWith(maps) } }
  }

  /** The Engine has a directory for each map, and names it after the ids of the container's root. */
  async #mapsBelow(directory: string): Promise<IdMaps> {
    const [, uid, gid] = /\/(\d+)\.(\d+)$/.exec(directory) ?? []
    const observed = this.#observed
    const isObserved = observed?.uids.outside(0) === Number(uid) && observed.gids.outside(0) === Number(gid)
    if (observed && (isObserved || uid === undefined)) return observed
    const [uids, gids] = await Promise.all([
      guessMap(this.files.uids, Number(uid ?? 0)),
      guessMap(this.files.gids, Number(gid ?? 0)),
    ])
    return { uids, gids }
  }

  #namespaceWith(maps: IdMaps): Promise<string> {
    const key = keyOf(maps)
    const namespace = this.#namespaces.get(key) ?? makeUserNamespace(maps.uids.text, maps.gids.text)
    this.#namespaces.set(key, namespace)
    namespace.catch(() => this.#namespaces.delete(key))
    return namespace
  }
}

function hasSettings({ DockerRootDir, SecurityOptions = null }: EngineInfo): boolean {
  return DockerRootDir.startsWith('/') && (SecurityOptions === null || Array.isArray(SecurityOptions))
}

/** The fields of the answer that are used; dockerode types it as `any`. */
interface EngineInfo {
  readonly DockerRootDir: string
  readonly SecurityOptions?: readonly string[] | null
}

function keyOf(maps: IdMaps | undefined): string {
  return maps ? `${maps.uids.text}\n${maps.gids.text}` : ''
}

/** Undefined where the process is in the user namespace of the daemon. */
function mapsOf(pid: number): IdMaps | undefined {
  if (readKernelLink(`/proc/${pid}/ns/user`) === readKernelLink('/proc/self/ns/user')) return undefined
  const read = (kind: 'uid' | 'gid') => IdMap.parse(readKernelFile(`/proc/${pid}/${kind}_map`))
  return { uids: read('uid'), gids: read('gid') }
}
