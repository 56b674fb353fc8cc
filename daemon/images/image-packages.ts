import { randomUUID } from 'node:crypto'
import { pipeline, type Readable, Transform } from 'node:stream'
import type { FastifyBaseLogger } from 'fastify'
import { TooLarge } from '../../base/errors.js'
import { Holder, type Leases } from '../../base/leases.js'
import type { Isolation } from '../../isolation/isolation.js'
import type { PackageMetadata } from '../packages/metadata.js'
import type { Package } from '../packages/package.js'
import type { LiveContainers } from '../staging/live-containers.js'
import { overQuota, type PackageQuota } from '../store/package-quota.js'
import type { PackageRepository } from '../store/repositories.js'
import type { ResourceIngest } from '../store/resource-ingest.js'
import { environmentOfImage } from './image-environment.js'

/** As the control API allows it. */
const LONGEST_DESCRIPTION = 4096

export interface ImagePackageRequest {
  readonly image: string
  /** Absolute paths to leave out of the package. */
  readonly leaveOut: readonly string[]
  readonly namespace: string
  readonly name: string
  /** Its environment takes precedence over that of the image. */
  readonly metadata: PackageMetadata
  readonly state: 'uploaded' | 'ready'
  readonly version?: string | undefined
  /** Without one, it names the image. */
  readonly description?: string | undefined
}

export interface MadeOfImage {
  readonly package: Package
  /** As `OpenImage.pinned`. */
  readonly image: string
  /** As whom the image runs, and the ports that it documents: a package has neither. */
  readonly user: string
  readonly exposed: readonly string[]
}

/** How far it is, in bytes. */
export type ImageProgress = (phase: 'pulling' | 'storing', bytes: number) => void

export interface ImagePackagesParts {
  readonly isolation: Pick<Isolation, 'readImage'>
  readonly ingest: Pick<ResourceIngest, 'receive'>
  readonly packages: Pick<PackageRepository, 'create'>
  readonly quota: PackageQuota
  readonly live: Pick<LiveContainers, 'add' | 'delete'>
  readonly liveBlobs: Leases
  readonly logger: Pick<FastifyBaseLogger, 'info' | 'warn'>
}

/** Makes packages from Docker images. The content of an image is checked like an upload. */
export class ImagePackages {
  readonly #parts: ImagePackagesParts

  constructor(parts: ImagePackagesParts) {
    this.#parts = parts
  }

  /**
   * Creates the package, or nothing.
   *
   * Throws what `Isolation.readImage`, `ResourceIngest.receive` and `PackageRepository.create` throw, and `Refused`
   * (`package-quota`).
   */
  async make(
    request: ImagePackageRequest,
    signal: AbortSignal,
    progress: ImageProgress = () => undefined,
  ): Promise<MadeOfImage> {
    const { isolation, ingest, packages, quota, live, liveBlobs, logger } = this.#parts
    const { image, leaveOut, namespace, name, metadata, state, version, description } = request
    const maxBytes = await quota.of(namespace)
    const id = randomUUID()
    const holder = new Holder()
    live.add(id)
    try {
      const { resource, environment, ...read } = await isolation.readImage(
        { id, reference: image, leaveOut },
        {
          progress: (line) => logger.info({ image }, `pulling an image: ${line}`),
          transferred: (bytes) => progress('pulling', bytes),
        },
        async ({ archive, config, pinned }) => {
          const body = counted(archive, (bytes) => progress('storing', bytes))
          const { resource } = await ingest.receive(body, { maxBytes }, signal)
          // The Engine may take any time to remove the container of the export.
          liveBlobs.hold(resource.sha256, holder)
          const { variables, dropped } = environmentOfImage(config)
          if (dropped.length > 0) logger.warn({ image, dropped }, 'an image has variables that a package cannot have')
          return { resource, environment: variables, image: pinned, user: config.user, exposed: config.exposed }
        },
        signal,
      )
      // A client that has disconnected would not learn of the package.
      signal.throwIfAborted()
      await liveBlobs.confirm(resource.sha256)
      const made = await packages.create({
        namespace,
        name,
        ...metadata,
        environment: { ...environment, ...metadata.environment },
        resource,
        state,
        ...(version === undefined ? {} : { version }),
        description: description ?? descriptionOf(read),
      })
      return { package: made, ...read }
    } catch (error) {
      throw error instanceof TooLarge && error.code === 'blob-too-large' ? overQuota(namespace, maxBytes) : error
    } finally {
      live.delete(id)
      holder.release()
    }
  }
}

/** Truncated to what a package allows. */
function descriptionOf({ image, user, exposed }: Omit<MadeOfImage, 'package'>): string {
  const facts = [
    `Docker image ${image}`,
    ...(user === '' ? [] : [`runs as ${user}`]),
    ...(exposed.length === 0 ? [] : [`exposes ${exposed.join(', ')}`]),
  ]
  return facts.join(', ').slice(0, LONGEST_DESCRIPTION)
}

/** `input`, whose bytes are counted as they are read. An error of one stream is passed on to the other. */
function counted(input: Readable, tell: (bytes: number) => void): Readable {
  let bytes = 0
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      tell((bytes += chunk.length))
      done(null, chunk)
    },
  })
  // The reader of the counter gets the error. Without the callback, it would also be unhandled.
  return pipeline(input, counter, () => undefined)
}
