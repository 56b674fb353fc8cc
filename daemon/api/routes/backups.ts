import { Type } from 'typebox'
import type { Backups } from '../../backup/backup.js'
import type { Restorer } from '../../backup/restore.js'
import { RestoreReport } from '../../documents/backup.js'
import { ADMINISTRATORS } from '../access.js'
import type { Api } from '../fastify.js'
import { lingerOnRefusal } from '../linger.js'
import { uploadBody } from '../upload-body.js'
import { NoQuery, REFUSALS, streamed } from './schemas.js'

const TAR = 'application/x-tar'

const RestoreQuery = Type.Object(
  {
    replace: Type.Optional(
      Type.Boolean({ description: 'give up what the node has; otherwise it must have nothing', default: false }),
    ),
  },
  { additionalProperties: false },
)

/** Only for OpenAPI: the handler reads the body itself. */
const File = {
  description: 'the result of backUpNode',
  content: { [TAR]: { schema: Type.Unknown() }, 'application/octet-stream': { schema: Type.Unknown() } },
}

export interface BackupRoutesParts {
  readonly backups: Pick<Backups, 'take'>
  readonly restorer: Pick<Restorer, 'restore'>
}

/** Backs up and restores the node as a whole. */
export function backupRoutes(api: Api, { backups, restorer }: BackupRoutesParts): void {
  const tags = ['node']
  api.removeAllContentTypeParsers()
  for (const type of [TAR, 'application/octet-stream'])
    api.addContentTypeParser(type, (_request, _payload, done) => done(null))

  api.post(
    '/v1/node/backup',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'backUpNode',
        tags,
        description:
          'all that was acknowledged before, as a tar archive whose last entry has the digests of the others; the header stagerd-backup-bytes says about how long it is',
        querystring: NoQuery,
        response: { 200: streamed('a tar archive', TAR), ...REFUSALS },
      },
    },
    async (_request, reply) => {
      const { stream, bytes } = await backups.take()
      return reply.type(TAR).header('stagerd-backup-bytes', bytes).send(stream)
    },
  )

  api.post(
    '/v1/node/restore',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'restoreNode',
        tags,
        description: 'put the content of a backup in the place of all that the node has; stagings of it continue',
        querystring: RestoreQuery,
        body: File,
        response: { 200: RestoreReport, ...REFUSALS },
      },
    },
    async ({ raw, query }, reply) => {
      lingerOnRefusal(raw, reply)
      const body = uploadBody(raw)
      try {
        const { head, leftOut, ...restored } = await restorer.restore(body, query.replace ?? false)
        const { taken_at, node, version } = head
        return { taken_at, node, version, ...restored, left_out: [...leftOut] }
      } catch (error) {
        throw body.fault ?? error
      } finally {
        body.destroy()
      }
    },
  )
}
