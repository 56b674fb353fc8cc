import { NotFound } from '../../../base/errors.js'
import type { Routes } from '../fastify.js'
import { parseRef } from '../parse-ref.js'
import { packageFqn } from '../render-package.js'
import { NoQuery, Nothing, RefPath, REFUSALS, streamed } from './schemas.js'

const EXTENSIONS = { gzip: '.tar.gz', bzip2: '.tar.bz2', xz: '.tar.xz', zstd: '.tar.zst', none: '.tar' }

/** The tarball of a package, as it was uploaded. Damage on the disk ends the connection before the last byte. */
export const packageDataRoutes: Routes = (api, { parts: { packages, blobs } }) => {
  api.get(
    '/v1/packages/:ref/data',
    {
      schema: {
        tags: ['packages'],
        params: RefPath,
        querystring: NoQuery,
        response: {
          200: streamed('the tarball, as it was uploaded', 'application/octet-stream'),
          304: Nothing,
          ...REFUSALS,
        },
      },
    },
    async ({ params, headers }, reply) => {
      const found = await packages.get(parseRef(params.ref, 'package'))
      const { resource } = found
      if (!resource)
        throw new NotFound(
          'package-empty',
          `${packageFqn(found)} has no data yet: upload some, or wait for its staging.`,
        )
      const etag = `"sha256:${resource.sha256}"`
      void reply.header('etag', etag)
      if (headers['if-none-match'] === etag) return reply.code(304).send(null)
      const { stream, length } = await blobs.open(resource.sha256)
      return reply
        .header('content-type', 'application/octet-stream')
        .header('content-length', length)
        .header('content-disposition', `attachment; filename="${found.name}${EXTENSIONS[resource.compression]}"`)
        .send(stream)
    },
  )
}
