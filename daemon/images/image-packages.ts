import { randomUUID } from 'node:crypto'
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

export interface ImagePackageRequest {
  readonly image: string
  /** Absolute paths to leave out of the package. */
  readonly leaveOut: readonly string[]
  readonly namespace: string
  readonly name: string
  /** Its environment takes precedence over that of the image. */
  readonly metadata: PackageMetadata
  readonly version?: string | undefined
  readonly description?: string | undefined
}

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
   * Creates the package, in state `ready`, or nothing.
   *
   * Throws what `Isolation.readImage`, `ResourceIngest.receive` and `PackageRepository.create` throw, and `Refused`
   * (`package-quota`).
   */
  async make(request: ImagePackageRequest, signal: AbortSignal): Promise<Package> {
    const { isolation, ingest, packages, quota, live, liveBlobs, logger } = this.#parts
    const { image, leaveOut, namespace, name, metadata, version, description } = request
    const maxBytes = await quota.of(namespace)
    const id = randomUUID()
    const holder = new Holder()
    live.add(id)
    try {
      const { resource, environment } = await isolation.readImage(
        { id, reference: image, leaveOut },
        { progress: (line) => logger.info({ image }, `pulling an image: ${line}`) },
        async ({ archive, config }) => {
          const { resource } = await ingest.receive(archive, { maxBytes }, signal)
          // The Engine may take any time to remove the container of the export.
          liveBlobs.hold(resource.sha256, holder)
          const { variables, dropped } = environmentOfImage(config)
          if (dropped.length > 0) logger.warn({ image, dropped }, 'an image has variables that a package cannot have')
          return { resource, environment: variables }
        },
        signal,
      )
      // A client that has disconnected would not learn of the package.
      signal.throwIfAborted()
      return await packages.create({
        namespace,
        name,
        ...metadata,
        environment: { ...environment, ...metadata.environment },
        resource,
        state: 'ready',
        ...(version === undefined ? {} : { version }),
        ...(description === undefined ? {} : { description }),
      })
    } catch (error) {
      throw error instanceof TooLarge && error.code === 'blob-too-large' ? overQuota(namespace, maxBytes) : error
    } finally {
      live.delete(id)
      holder.release()
    }
  }
}
