import type { Droplets } from '../../droplets/droplets.js'
import { readsNamed } from '../access.js'
import type { Api } from '../fastify.js'
import { parseRef } from '../parse-ref.js'
import { streamSignal } from '../stream-signal.js'
import { NoQuery, RefPath, REFUSALS, streamed } from './schemas.js'

export interface PackageDropletRoutesParts {
  readonly droplets: Pick<Droplets, 'open'>
}

/** A ready package as a droplet of Cloud Foundry. */
export function packageDropletRoutes(api: Api, { droplets }: PackageDropletRoutesParts, closing: AbortSignal): void {
  api.get(
    '/v1/packages/:ref/droplet',
    {
      access: readsNamed('package'),
      schema: {
        operationId: 'downloadDroplet',
        tags: ['packages'],
        params: RefPath,
        querystring: NoQuery,
        response: { 200: streamed('the droplet, a tar as gzip', 'application/octet-stream'), ...REFUSALS },
      },
      // A HEAD request would open a stream that nobody reads.
      exposeHeadRoute: false,
    },
    async ({ params, log }, reply) => {
      const { name, stream } = await droplets.open(parseRef(params.ref, 'package'), streamSignal(reply, closing))
      stream.once('error', (error) => log.error({ err: error }, 'a download was broken off'))
      return reply
        .type('application/octet-stream')
        .header('content-disposition', `attachment; filename="${name}.tgz"`)
        .send(stream)
    },
  )
}
