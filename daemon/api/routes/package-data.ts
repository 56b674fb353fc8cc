import { Fault, NotFound } from '../../../base/errors.js'
import { Holder, type Leases } from '../../../base/leases.js'
import type { BlobStore } from '../../store/blob-store.js'
import { openVerified } from '../../store/open-verified.js'
import type { PackageRepository, Ref } from '../../store/repositories.js'
import { readFrom, rangeStart } from '../byte-range.js'
import { readsNamed } from '../access.js'
import type { Api } from '../fastify.js'
import { blobsOf, type Resource } from '../../packages/package.js'
import { parseRef } from '../parse-ref.js'
import { packageFqn } from '../render-package.js'
import { streamSignal } from '../stream-signal.js'
import { NoQuery, Nothing, RefPath, REFUSALS, streamed } from './schemas.js'

const EXTENSIONS = { gzip: '.tar.gz', bzip2: '.tar.bz2', xz: '.tar.xz', zstd: '.tar.zst', none: '.tar' }

export interface PackageDataRoutesParts {
  readonly packages: Pick<PackageRepository, 'get'>
  readonly blobs: Pick<BlobStore, 'open'>
  readonly live: Leases
}

/**
 * The tarball of a package, as it was uploaded. Damage of the disk is found before the answer begins; if it comes while the
 * answer is sent, the connection ends before the last byte, and the log says why.
 *
 * An interrupted download is resumed with `Range: bytes=N-` and the entity tag in `If-Range`.
 */
export function packageDataRoutes(
  api: Api,
  { packages, blobs, live }: PackageDataRoutesParts,
  closing: AbortSignal,
): void {
  /**
   * The package may be deleted before its blob is open; after that, nothing disturbs the reader.
   *
   * @param known the entity tag that the client has: its blob is not opened
   */
  const open = async (ref: Ref, known: string | undefined, signal: AbortSignal) => {
    const holder = new Holder()
    try {
      const found = await live.holdFound(holder, () => packages.get(ref), blobsOf)
      const { resource } = found
      if (!resource)
        throw new NotFound(
          'package-empty',
          `${packageFqn(found)} has no data yet: upload data, or wait until its staging has ended.`,
        )
      const blob = known === etagOf(resource) ? undefined : await openVerified(blobs, resource.sha256, signal)
      return { found, resource, blob }
    } finally {
      holder.release()
    }
  }

  api.get(
    '/v1/packages/:ref/data',
    {
      access: readsNamed('package'),
      schema: {
        operationId: 'downloadPackage',
        tags: ['packages'],
        params: RefPath,
        querystring: NoQuery,
        response: {
          200: streamed('the tarball, as it was uploaded', 'application/octet-stream'),
          206: streamed('the rest of it', 'application/octet-stream'),
          304: Nothing,
          416: Nothing,
          ...REFUSALS,
        },
      },
    },
    async ({ params, headers, log }, reply) => {
      const signal = streamSignal(reply, closing)
      const { found, resource, blob } = await open(parseRef(params.ref, 'package'), headers['if-none-match'], signal)
      const etag = etagOf(resource)
      void reply.header('etag', etag).header('accept-ranges', 'bytes')
      if (!blob) return reply.code(304).send(null)
      const { stream, length } = blob
      stream.once('error', (error) => log.error({ err: error }, 'a download was broken off'))
      if (length !== resource.length) {
        stream.destroy()
        throw new Fault('blob-corrupt', `The data of ${packageFqn(found)} is damaged: upload it again to repair it.`)
      }
      const from = rangeStart(headers.range, headers['if-range'], etag)
      if (from !== undefined && from >= length) {
        stream.destroy()
        return reply.code(416).header('content-range', `bytes */${length}`).send(null)
      }
      void reply
        .header('content-type', 'application/octet-stream')
        .header('content-disposition', `attachment; filename="${found.name}${EXTENSIONS[resource.compression]}"`)
        .header('content-length', length - (from ?? 0))
      if (from === undefined) return reply.send(stream)
      return reply
        .code(206)
        .header('content-range', `bytes ${from}-${length - 1}/${length}`)
        .send(readFrom(stream, from))
    },
  )
}

function etagOf({ sha256 }: Resource): string {
  return `"sha256:${sha256}"`
}
