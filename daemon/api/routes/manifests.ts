import { ManifestText, ParsedManifest } from '../../documents/manifest.js'
import { parsePlacedManifest } from '../../packages/manifest/parse-manifest.js'
import { HOLDERS } from '../access.js'
import type { Api } from '../fastify.js'
import { renderManifest } from '../render-manifest.js'
import { NoQuery, REFUSALS } from './schemas.js'

export function manifestRoutes(api: Api): void {
  api.post(
    '/v1/manifests',
    {
      access: HOLDERS,
      schema: {
        operationId: 'parseManifest',
        tags: ['packages'],
        description: 'Parse a manifest, or report the places of its mistakes. Nothing is stored.',
        querystring: NoQuery,
        body: ManifestText,
        response: { 200: ParsedManifest, ...REFUSALS },
      },
    },
    ({ body }) => {
      const { manifest, places } = parsePlacedManifest(body.manifest)
      return { ...renderManifest(manifest), places }
    },
  )
}
