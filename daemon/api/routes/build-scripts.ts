import { parseBuildScript } from '../../packages/build-script/parse-build-script.js'
import { BuildScript, BuildScriptText } from '../../documents/build-script.js'
import { HOLDERS } from '../access.js'
import type { Api } from '../fastify.js'
import { renderBuildScript } from '../render-build-script.js'
import { NoQuery, REFUSALS } from './schemas.js'

export function buildScriptRoutes(api: Api): void {
  api.post(
    '/v1/build-scripts',
    {
      access: HOLDERS,
      schema: {
        operationId: 'parseBuildScript',
        tags: ['packages'],
        description: 'Parse a build script, or report the place of an error. Nothing is stored.',
        querystring: NoQuery,
        body: BuildScriptText,
        response: { 200: BuildScript, ...REFUSALS },
      },
    },
    ({ body }) => renderBuildScript(parseBuildScript(body.script)),
  )
}
