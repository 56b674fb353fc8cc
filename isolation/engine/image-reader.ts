import type { Readable } from 'node:stream'
import type Docker from 'dockerode'
import { CleanupStack, withCleanupFailures } from '../../base/cleanup-stack.js'
import { BadInput, NotFound } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { ImageConfig, ImageHooks, ImagePlan, OpenImage } from '../image.js'
import { launchLabels, launchName, type Owner } from '../host/ownership.js'
import type { Compressor } from '../archive/compressor.js'
import { Container } from './container.js'
import { askEngine, askEngineAtLength, isStatus } from './engine-errors.js'
import { pullImage } from './image-pull.js'
import { imageTree } from './image-tree.js'

/** For the Engine to answer an export, in milliseconds: it mounts the image first. */
const EXPORT_DEADLINE_MS = 5 * 60_000

/** Reads filesystems of images by exports of containers that are never started. */
export class ImageReader {
  constructor(
    private readonly engine: Docker,
    private readonly owner: Owner,
    private readonly compressor: () => Promise<Compressor>,
  ) {}

  /** See `Isolation.readImage`. */
  async read<T>(
    plan: ImagePlan,
    hooks: ImageHooks,
    use: (image: OpenImage) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    signal.throwIfAborted()
    const image =
      (await this.#find(plan.reference)) ??
      (await pullImage(this.engine, plan.reference, hooks, signal).then(() => this.#find(plan.reference)))
    if (!image) throw goneAgain(plan)
    await this.#assertRuns(plan.reference, image)
    const compressor = await this.compressor()
    signal.throwIfAborted()

    const undo = new CleanupStack()
    try {
      // The name is known before the Engine has answered with the id.
      const name = launchName(plan.id)
      undo.defer('remove the container of an image', () => new Container(this.engine, name).remove())
      await Container.create(this.engine, {
        name,
        // The tag could move to another image.
        Image: image.id,
        // It never runs, but the Engine requires a command, and some images have none.
        Cmd: ['/nothing'],
        Labels: launchLabels(this.owner, plan.id),
        HostConfig: { NetworkMode: 'none' },
      }).catch((error: unknown) => {
        throw isStatus(error, 404) ? goneAgain(plan, error) : error
      })
      signal.throwIfAborted()
      const exported = (await askEngineAtLength(
        'export a container',
        (abortSignal) => this.engine.getContainer(name).export({ abortSignal }),
        EXPORT_DEADLINE_MS,
        signal,
      )) as unknown as Readable
      undo.defer('end the export', () => void exported.destroy())
      const archive = compressor.compress(imageTree(exported, plan, signal), signal)
      undo.defer('end the archive', () => void archive.destroy())
      // Its reader gets the error; without a listener, an error before the first read would end the process.
      archive.on('error', () => undefined)
      const result = await use({ archive, config: image.config, pinned: image.pinned })
      const [failure] = await undo.run()
      if (failure) throw failure.error
      return result
    } catch (error) {
      throw withCleanupFailures(error, await undo.run())
    }
  }

  /** The Engine also pulls images that cannot run in a container here, and says so to nobody. */
  async #assertRuns(reference: string, { platform: { os, architecture } }: FoundImage): Promise<void> {
    const engine = await askEngine('tell its version', this.engine.version())
    if (os === engine.Os && architecture === engine.Arch) return
    throw new BadInput(
      'image-architecture',
      `The image ${quote(reference)} is for ${os}/${architecture}, and this host runs ${engine.Os}/${engine.Arch}: name an image for that, or the digest of that variant.`,
    )
  }

  async #find(reference: string): Promise<FoundImage | undefined> {
    try {
      const found = await askEngine('look at an image', this.engine.getImage(reference).inspect())
      const config = found.Config as Partial<Docker.ImageInspectInfo['Config']> | null | undefined
      const { Env, WorkingDir, Entrypoint, Cmd, User, ExposedPorts } = config ?? {}
      return {
        id: found.Id,
        pinned: pinnedOf(reference, found),
        platform: { os: found.Os, architecture: found.Architecture },
        config: {
          environment: Env ?? [],
          workingDirectory: WorkingDir ?? '',
          entrypoint: wordsOf(Entrypoint),
          command: wordsOf(Cmd),
          user: User ?? '',
          exposed: Object.keys((ExposedPorts as object | null | undefined) ?? {}).sort(),
        },
      }
    } catch (error) {
      if (isStatus(error, 404)) return undefined
      throw error
    }
  }
}

interface FoundImage {
  readonly id: string
  readonly pinned: string
  readonly platform: { readonly os: string; readonly architecture: string }
  readonly config: ImageConfig
}

/** An image that was built on this host is known by no registry. */
function pinnedOf(reference: string, { Id, RepoDigests }: Pick<Docker.ImageInspectInfo, 'Id' | 'RepoDigests'>): string {
  const digests = (RepoDigests as readonly string[] | null | undefined) ?? []
  const name = /^(.*?)(?::[^:/@]*)?(?:@.*)?$/.exec(reference)?.[1] ?? ''
  return digests.find((digest) => digest.startsWith(`${name}@`)) ?? digests[0] ?? Id
}

function goneAgain({ reference }: ImagePlan, cause?: unknown): NotFound {
  return new NotFound('no-such-image', `The image ${quote(reference)} is gone again: ask once more.`, { cause })
}

function wordsOf(words: string | readonly string[] | null | undefined): readonly string[] {
  return typeof words === 'string' ? [words] : (words ?? [])
}
