import { Type } from 'typebox'
import { BadInput, NotFound } from '../../../base/errors.js'
import { assertLocalName, assertNamespace, formatFqn, quote } from '../../../base/fqn.js'
import type { Pipeline, PipelineRepository, StagerRepository } from '../../store/repositories.js'
import { canonicalSigns } from '../../packages/detection/sign-pattern.js'
import { Pipeline as PipelineDocument, PipelineChange, PipelineDraft } from '../../documents/pipeline.js'
import { lists, puttingInto, readingAll, readsNamed, writes, writesNamed } from '../access.js'
import type { Api } from '../fastify.js'
import { listed } from '../listed.js'
import { parseRef } from '../parse-ref.js'
import { renderPipeline } from '../render-stager.js'
import { withoutStager, type StagerRemoval } from '../without-stager.js'
import { NamespaceQuery, NoQuery, Nothing, RefPath, REFUSALS } from './schemas.js'

const tags = ['pipelines']

export interface PipelineRoutesParts {
  readonly pipelines: PipelineRepository
  readonly stagers: Pick<StagerRepository, 'get'>
}

export function pipelineRoutes(api: Api, { pipelines, stagers }: PipelineRoutesParts): void {
  const render = async (pipeline: Pipeline) =>
    renderPipeline(pipeline, await Promise.all(pipeline.stagers.map((uuid) => stagers.get({ uuid }))))
  const uuidsOf = (refs: readonly string[] = []) =>
    Promise.all(refs.map(async (ref) => (await stagers.get(parseRef(ref, 'job'))).uuid))
  const removalOf = async ({ stager, position }: NonNullable<PipelineChange['remove']>): Promise<StagerRemoval> => {
    const found = await stagers.get(parseRef(stager, 'job'))
    return { uuid: found.uuid, fqn: formatFqn('job', found), position }
  }
  const contentOf = async ({ stagers, clone, signs }: PipelineDraft) => {
    if ((stagers === undefined) === (clone === undefined))
      throw new BadInput('bad-document', 'A pipeline needs either "stagers" or the pipeline to "clone".')
    const given = signs && canonicalSigns(signs)
    if (clone === undefined) return { stagers: await uuidsOf(stagers), signs: given ?? [] }
    const found = await pipelines.get(parseRef(clone, 'stagpipe'))
    return { stagers: found.stagers, signs: given ?? found.signs }
  }

  api.get(
    '/v1/stagingpipelines',
    {
      access: lists(({ namespace }: PipelineDocument) => namespace),
      schema: {
        operationId: 'listPipelines',
        tags,
        querystring: NamespaceQuery,
        response: { 200: Type.Array(PipelineDocument), ...REFUSALS },
      },
    },
    async ({ query }) => {
      if (query.namespace !== undefined) assertNamespace(query.namespace)
      return Promise.all(listed(await pipelines.list(query), query).map(render))
    },
  )

  api.post(
    '/v1/stagingpipelines',
    {
      access: writes(({ body }: { body: PipelineDraft }) => [
        puttingInto(body.namespace, formatFqn('stagpipe', body)),
        ...readingAll('job', body.stagers),
        ...readingAll('stagpipe', [body.clone]),
      ]),
      schema: {
        operationId: 'createPipeline',
        tags,
        querystring: NoQuery,
        body: PipelineDraft,
        response: { 201: PipelineDocument, ...REFUSALS },
      },
    },
    async ({ body }, reply) => {
      const { namespace, name } = body
      assertNamespace(namespace)
      assertLocalName(name)
      const made = await pipelines.create({ namespace, name, ...(await contentOf(body)) })
      return reply
        .code(201)
        .header('location', `/v1/stagingpipelines/${made.uuid}`)
        .send(await render(made))
    },
  )

  api.get(
    '/v1/stagingpipelines/:ref',
    {
      access: readsNamed('stagpipe'),
      schema: {
        operationId: 'showPipeline',
        tags,
        params: RefPath,
        querystring: NoQuery,
        response: { 200: PipelineDocument, ...REFUSALS },
      },
    },
    async ({ params }) => render(await pipelines.get(parseRef(params.ref, 'stagpipe'))),
  )

  api.patch(
    '/v1/stagingpipelines/:ref',
    {
      access: writesNamed('stagpipe', ({ prepend = [], append = [], remove }: PipelineChange) =>
        readingAll('job', [...prepend, ...append, remove?.stager]),
      ),
      schema: {
        operationId: 'updatePipeline',
        tags,
        params: RefPath,
        querystring: NoQuery,
        body: PipelineChange,
        response: { 200: PipelineDocument, ...REFUSALS },
      },
    },
    async ({ params, body }) => {
      const [before, after] = [await uuidsOf(body.prepend), await uuidsOf(body.append)]
      const removal = body.remove && (await removalOf(body.remove))
      const changed = await pipelines.update(parseRef(params.ref, 'stagpipe'), (found) => ({
        stagers: [...before, ...(removal ? withoutStager(found, removal) : found.stagers), ...after],
        signs: changedSigns(found, body),
      }))
      return render(changed)
    },
  )

  api.delete(
    '/v1/stagingpipelines/:ref',
    {
      access: writesNamed('stagpipe'),
      schema: {
        operationId: 'deletePipeline',
        tags,
        params: RefPath,
        querystring: NoQuery,
        response: { 204: Nothing, ...REFUSALS },
      },
    },
    async ({ params }, reply) => {
      await pipelines.delete(parseRef(params.ref, 'stagpipe'))
      return reply.code(204).send(null)
    },
  )
}

function changedSigns(found: Pipeline, { signs_add: add = [], signs_remove: remove = [] }: PipelineChange) {
  const unknown = remove.find((sign) => !found.signs.includes(sign))
  if (unknown !== undefined)
    throw new NotFound(
      'sign-not-in-pipeline',
      `${formatFqn('stagpipe', found)} does not have the sign ${quote(unknown)}: its own signs are ${found.signs.join(', ') || 'none'}.`,
    )
  return canonicalSigns([...found.signs.filter((sign) => !remove.includes(sign)), ...add])
}
