import { createHash } from 'node:crypto'
import { text } from 'node:stream/consumers'
import type Docker from 'dockerode'
import { Fault, NotRunnable, Unavailable } from '../../base/errors.js'
import { type Holder, Leases } from '../../base/leases.js'
import { parseJson } from '../../base/parse-json.js'
import type { Cached } from '../isolation.js'
import { INSTALL_LABEL, NODE_LABEL, ownerLabels, type Owner } from '../host/ownership.js'
import { askEngine, askEngineAtLength, engineError, EngineRefusal, isStatus } from './engine-errors.js'
import { askEngineForHints, askEngineForList } from './engine-lists.js'
import { askEngineToWork } from './engine-work.js'
import type { LastUsedTimes } from './last-used-times.js'
import { imageArchive, type ImageDescription } from './image-archive.js'
import type { ImageLayer } from '../layers/layer.js'
import { SingleFlight } from '../layers/single-flight.js'

/** overlay2 allows 128 lower layers. One is the init layer of the container, and some are kept in reserve. */
export const MAX_ROOT_LAYERS = 120

/** The name of an untagged image in Engines before version 25. */
const NAMELESS = '<none>:<none>'

/** Time limit for the Engine to begin its answer to a load, in milliseconds. Progress does not extend it. */
const LOAD_DEADLINE_MS = 30 * 60_000

/**
 * Images made of chains of layers.
 *
 * INVARIANTS
 * - A chain is loaded at most once at a time; other callers wait for that load.
 * - The tag is a digest of the chain and the node: an image with that name has exactly these layers.
 */
export class RootImages {
  readonly #known = new Set<string>()
  readonly #loading = new SingleFlight<void>(Infinity)
  readonly #held = new Leases()
  readonly #removing = new Map<string, Promise<unknown>>()

  constructor(
    private readonly engine: Docker,
    private readonly owner: Owner,
    private readonly use: LastUsedTimes,
  ) {}

  /**
   * Makes sure that the Engine has the image of `layers`, and returns its reference. It is not discarded between this
   * call and the release of `holder`.
   *
   * Throws `NotRunnable` (`too-many-layers`, `root-path-too-long`), `Unavailable` (`engine-down`, `disk-full`). An aborted
   * caller leaves at once; the load is aborted when its last caller has left.
   */
  async ensure(layers: readonly ImageLayer[], holder: Holder, signal: AbortSignal): Promise<string> {
    if (layers.length > MAX_ROOT_LAYERS)
      throw new NotRunnable(
        'too-many-layers',
        `A root of ${layers.length} packages is too deep: Docker stacks at most ${MAX_ROOT_LAYERS}; merge some of them.`,
      )
    const reference = this.#referenceOf(layers)
    this.#held.hold(reference, holder)
    await this.use.mark(tagOf(reference))
    await this.#removing.get(reference)
    if (this.#known.has(reference)) return reference
    const image = { reference, labels: ownerLabels(this.owner), layers }
    await this.#loading.run(reference, signal, (shared) => this.#make(image, shared))
    this.#known.add(reference)
    return reference
  }

  /** Call it when the Engine has no such image, because somebody removed it: the next `ensure` asks the Engine. */
  forget(reference: string): void {
    this.#known.delete(reference)
  }

  /** Every image of this node. Throws `Unavailable` (`engine-down`). */
  async list(): Promise<readonly Cached[]> {
    const filters = { label: [`${NODE_LABEL}=${this.owner.nodeId}`] }
    const images = await askEngineForList('list its images', () => this.engine.listImages({ filters }))
    const containers = await askEngineForList('list its containers', () => this.engine.listContainers({ all: true }))
    const used = new Set(containers.map(({ ImageID }) => ImageID))
    const found: Cached[] = []
    for (const { Id, RepoTags, Size } of images.filter((image) => this.#isOurs(image))) {
      const names = (RepoTags ?? []).filter((name) => name !== NAMELESS)
      // An image loses its name when another image gets it. No `ensure` can ask for it then.
      for (const id of names.length > 0 ? names : [Id]) {
        const usedAt = await this.use.last(tagOf(id))
        found.push({ kind: 'image', id, bytes: Size, usedAt, inUse: used.has(Id) || this.#held.has(id) })
      }
    }
    return found
  }

  /** What is listed is offered for removal, so an Engine that does not apply the filter must not add to it. */
  #isOurs({ Labels }: { readonly Labels?: Readonly<Record<string, string>> | null }): boolean {
    return Labels?.[NODE_LABEL] === this.owner.nodeId
  }

  /** Tells whether it was removed: not while it is held, or a container uses it. */
  async discard(reference: string): Promise<boolean> {
    if (this.#held.has(reference)) return false
    this.#known.delete(reference)
    const removing = this.#remove(reference)
    // `ensure` waits for the removal, and then makes the image again.
    this.#removing.set(reference, removing)
    try {
      return await removing
    } finally {
      this.#removing.delete(reference)
    }
  }

  /** `ensure` waits for it, and a failed removal must not fail that call. */
  async #remove(reference: string): Promise<boolean> {
    try {
      const removal = this.engine.getImage(reference).remove() as Promise<unknown>
      await askEngineToWork(this.engine, 'remove an image', removal)
    } catch (error) {
      if (!isStatus(error, 404)) return false
    }
    await this.use.forget(tagOf(reference))
    return true
  }

  #referenceOf(layers: readonly ImageLayer[]): string {
    const chain = createHash('sha256').update(this.owner.nodeId)
    for (const { diffId } of layers) chain.update(`\n${diffId}`)
    return `stagerd/root:${chain.digest('hex').slice(0, 40)}`
  }

  async #make(image: ImageDescription, signal: AbortSignal): Promise<void> {
    if (await this.#has(image.reference)) return
    const there = await this.#layersOfTheEngine(image, signal)
    if (there.size > 0) {
      try {
        await this.#load(image, there, signal)
        return
      } catch (error) {
        // With the image store of containerd, the Engine needs every layer. Or the image was removed since the list.
        if (!(error instanceof Fault)) throw error
      }
    }
    await this.#load(image, new Set(), signal)
  }

  /** An image that the Engine cannot describe, because a part of it is gone, is loaded again. */
  async #has(reference: string): Promise<boolean> {
    return (await this.#diffIdsOf(reference)) !== undefined
  }

  /** The longest lower part of the chain that an image of stagerd shares: the Engine finds it by its chain id. */
  async #layersOfTheEngine({ layers }: ImageDescription, signal: AbortSignal): Promise<Set<string>> {
    const filters = { label: [NODE_LABEL, INSTALL_LABEL] }
    // They may belong to another node, which can remove them at any time.
    const images = await askEngineForHints('list its images', () => this.engine.listImages({ filters }))
    let shared = 0
    for (const { Id } of images) {
      signal.throwIfAborted()
      const theirs = (await this.#diffIdsOf(Id)) ?? []
      let same = 0
      while (same < layers.length && layers[same]?.diffId === theirs[same]) same++
      shared = Math.max(shared, same)
    }
    const upper = new Set(layers.slice(shared).map(({ diffId }) => diffId))
    // If a layer is in the chain again above the shared part, it has another chain id there and must be sent.
    return new Set(
      layers
        .slice(0, shared)
        .map(({ diffId }) => diffId)
        .filter((diffId) => !upper.has(diffId)),
    )
  }

  /** Undefined for an image that does not exist, or not as a whole. Throws `Unavailable` (`engine-down`). */
  async #diffIdsOf(image: string): Promise<readonly string[] | undefined> {
    try {
      const { RootFS } = await askEngine('look at an image', this.engine.getImage(image).inspect())
      // The Engine leaves them out if it lacks the configuration of the image.
      return (RootFS as Partial<typeof RootFS> | undefined)?.Layers
    } catch (error) {
      if (error instanceof EngineRefusal) return undefined
      throw error
    }
  }

  async #load(image: ImageDescription, leaveOut: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const archive = imageArchive(image, leaveOut)
    let fromLayers: unknown
    archive.on('error', (error: unknown) => (fromLayers = error))
    try {
      const response = await askEngineAtLength(
        'load an image',
        (abortSignal) =>
          this.engine.loadImage(archive as unknown as NodeJS.ReadableStream, { quiet: true, abortSignal }),
        LOAD_DEADLINE_MS,
        signal,
      )
      const said = await text(response as NodeJS.ReadableStream & AsyncIterable<Buffer>)
      const failure = loadFailure(said)
      if (failure !== undefined) {
        // The store of containerd keeps an image that it could not unpack.
        const removal = this.engine.getImage(image.reference).remove() as Promise<unknown>
        await askEngineToWork(this.engine, 'remove an image', removal).catch(() => undefined)
        throw loadError(failure)
      }
    } catch (error) {
      archive.destroy()
      signal.throwIfAborted()
      // If a layer failed, the error of the Engine is only that the request ended early.
      throw fromLayers instanceof Error ? fromLayers : engineError('load an image', error)
    }
  }
}

function tagOf(reference: string): string {
  return reference.slice(reference.lastIndexOf(':') + 1)
}

function loadError(failure: string): Error {
  if (/no space left on device|disk quota exceeded/i.test(failure))
    return new Unavailable(
      'disk-full',
      `Could not load a root image: the Docker Engine's disk is full; free some space.`,
    )
  // overlay2 uses absolute paths, so the path of its own directory takes a part of PATH_MAX.
  if (/file name too long/i.test(failure))
    return new NotRunnable(
      'root-path-too-long',
      'A package of the root has a path that the Docker Engine cannot keep: below its own directory some 4000 bytes are left for it; shorten the path, or depend on the package under /stagerfs instead.',
    )
  return new Fault('image-refused', `The Docker Engine refused a root image: ${failure.slice(-500)}.`)
}

/**
 * The Engine answers 200 before it reads. A later error is in one of the lines of JSON in the body. With the image store
 * of containerd, a layer that cannot be unpacked is in a line of progress, after "Loaded image".
 */
export function loadFailure(body: string): string | undefined {
  for (const line of body.split('\n')) {
    if (!/"error|Error unpacking/.test(line)) continue
    const message = parseJson(line)
    // A line that was cut off tells of a failure too.
    if (!(message instanceof Object)) return line.trim()
    const { error, stream } = message as { readonly error?: unknown; readonly stream?: unknown }
    if (typeof error === 'string') return error
    if (typeof stream === 'string' && stream.startsWith('Error unpacking image')) return stream.trim()
  }
  return undefined
}
