import { Type } from 'typebox'
import { Result, ResultDiff, Rollback, RolledBack } from '../../documents/result.js'
import type { ResultDiffs } from '../../results/result-diff.js'
import type { ResultRepository } from '../../store/result-repository.js'
import { readsNamed, writesNamed } from '../access.js'
import type { Api } from '../fastify.js'
import { parseRef } from '../parse-ref.js'
import { renderPackage } from '../render-package.js'
import { renderResult, renderResultDiff } from '../render-result.js'
import { streamSignal } from '../stream-signal.js'
import { NoQuery, RefPath, REFUSALS } from './schemas.js'

const tags = ['packages']
const DiffQuery = Type.Object(
  {
    from: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'number; default: the newest result that the package does not have now',
      }),
    ),
    to: Type.Optional(Type.Integer({ minimum: 1, description: 'number; default: the state of the package' })),
  },
  { additionalProperties: false },
)

export interface ResultRoutesParts {
  readonly results: ResultRepository
  readonly diffs: Pick<ResultDiffs, 'compare'>
}

/** The history of a package. */
export function resultRoutes(api: Api, { results, diffs }: ResultRoutesParts, closing: AbortSignal): void {
  api.get(
    '/v1/packages/:ref/results',
    {
      access: readsNamed('package'),
      schema: {
        operationId: 'listResults',
        tags,
        description: 'the results that the package keeps, newest first',
        params: RefPath,
        querystring: NoQuery,
        response: { 200: Type.Array(Result), ...REFUSALS },
      },
    },
    async ({ params }) => {
      const history = await results.history(parseRef(params.ref, 'package'))
      return history.results.map((result) => renderResult(result, history.package))
    },
  )

  api.post(
    '/v1/packages/:ref/rollback',
    {
      access: writesNamed('package'),
      schema: {
        operationId: 'rollBackPackage',
        tags,
        description: 'make an earlier result the state of the package; the history gets an entry for it',
        params: RefPath,
        querystring: NoQuery,
        body: Rollback,
        response: { 200: RolledBack, ...REFUSALS },
      },
    },
    async ({ params, body }) => {
      const { package: found, to } = await results.rollback(parseRef(params.ref, 'package'), body.result)
      return { package: renderPackage(found), result: to }
    },
  )

  api.get(
    '/v1/packages/:ref/diff',
    {
      access: readsNamed('package'),
      schema: {
        operationId: 'compareResults',
        tags,
        description: 'what differs between two results, or between a result and the state of the package',
        params: RefPath,
        querystring: DiffQuery,
        response: { 200: ResultDiff, ...REFUSALS },
      },
    },
    async ({ params, query }, reply) =>
      renderResultDiff(await diffs.compare(parseRef(params.ref, 'package'), query, streamSignal(reply, closing))),
  )
}
