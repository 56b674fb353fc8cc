import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply } from 'fastify'
import { Type, type Static } from 'typebox'
import { Conflict } from '../../../base/errors.js'
import { formatFqn, parseFqn } from '../../../base/fqn.js'
import { isUuid } from '../../../base/identifiers.js'
import { withStartCommandOf } from '../../packages/manifest/apply-manifest.js'
import { parseKeptManifest } from '../../packages/manifest/parse-manifest.js'
import { assertMetadata } from '../../packages/validate.js'
import type { Package } from '../../packages/package.js'
import type { Staging as SubmittedStaging, StagingSource } from '../../model/staging.js'
import type { OwnPlaces, Waiting } from '../../model/waiting.js'
import { originOf } from '../../model/webhook.js'
import type { KeptLaunches } from '../../staging/kept-launches.js'
import type { StagingService } from '../../staging/staging-service.js'
import type { Receivers } from '../../webhooks/receivers.js'
import { visible } from '../../access/caller.js'
import type { ResourceIngest } from '../../store/resource-ingest.js'
import type { PackageQuota } from '../../store/package-quota.js'
import type { PackageRepository, PipelineRepository, Ref, StagerRepository } from '../../store/repositories.js'
import type { NodeRepository } from '../../store/node-repository.js'
import type { StagingLedger } from '../../store/staging-ledger.js'
import { keepFailedSeconds } from '../../documents/kept.js'
import { LogLine, Staging, StagingDraft, StagingState } from '../../documents/staging.js'
import { lists, reading, readingAll, readsByUuid, writes, writesByUuid, writing } from '../access.js'
import type { Api } from '../fastify.js'
import { parseRef } from '../parse-ref.js'
import { parseTime } from '../parse-time.js'
import { renderStaging } from '../render-staging.js'
import { EVENT_STREAM } from '../server-sent-events.js'
import { NoQuery, REFUSALS, streamed, UuidPath } from './schemas.js'
import { sendStagingLog, type StagingLogRoutesParts } from './staging-log.js'

const tags = ['stagings']
const StagingQuery = Type.Object(
  {
    state: Type.Optional(StagingState),
    package: Type.Optional(Type.String({ description: 'ref' })),
    pipeline: Type.Optional(
      Type.String({ description: 'ref; a full name is that which the pipeline had when the staging was submitted' }),
    ),
    since: Type.Optional(
      Type.String({ description: 'RFC 3339: only stagings that were submitted at this time or later' }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  },
  { additionalProperties: false },
)

const RetryQuery = Type.Object(
  {
    reuse: Type.Optional(
      Type.Boolean({ description: 'whether an earlier result may answer it if nothing has changed; default: true' }),
    ),
    keep_failed_seconds: Type.Optional(keepFailedSeconds),
  },
  { additionalProperties: false },
)

const SUBMITTED = {
  200: streamed(
    `for a client that accepts ${EVENT_STREAM}: the events of its log, as \`followStagingLog\` sends them`,
    EVENT_STREAM,
    LogLine,
  ),
  201: Staging,
  ...REFUSALS,
}

export interface StagingRoutesParts {
  readonly stagings: Pick<StagingService, 'submit' | 'cancel' | 'retry'>
  readonly ledger: Pick<StagingLedger, 'get' | 'list' | 'waiting'>
  readonly nodes: Pick<NodeRepository, 'get' | 'ofTerms'>
  /** The node that answers. */
  readonly self: OwnPlaces
  readonly kept: Pick<KeptLaunches, 'of'>
  readonly packages: Pick<PackageRepository, 'get'>
  readonly stagers: Pick<StagerRepository, 'list'>
  readonly pipelines: Pick<PipelineRepository, 'get'>
  readonly ingest: Pick<ResourceIngest, 'reuse'>
  readonly quota: PackageQuota
  readonly receivers: Pick<Receivers, 'accept'>
}

export function stagingRoutes(
  api: Api,
  parts: StagingRoutesParts,
  log: StagingLogRoutesParts,
  closing: AbortSignal,
): void {
  const { stagings, ledger, nodes, self, kept, packages, stagers, pipelines, ingest, quota, receivers } = parts
  /** A UUID is not looked up, because stagings outlive their packages. */
  const packageUuid = async (text: string) =>
    isUuid(text) ? text.toLowerCase() : (await packages.get(parseRef(text, 'package'))).uuid

  /** A full name is not looked up, because stagings outlive their pipelines. */
  const pipelineFqn = async (text: string) => {
    const ref = parseRef(text, 'stagpipe')
    return formatFqn('stagpipe', 'uuid' in ref ? await pipelines.get(ref) : ref)
  }

  const sourceOf = async (
    subject: Ref,
    { resource: sha256, dependencies, environment, manifest: text }: NonNullable<StagingDraft['source']>,
  ): Promise<StagingSource> => {
    assertMetadata({ ...(dependencies ? { dependencies } : {}), ...(environment ? { environment } : {}) })
    const parsed = text === undefined ? undefined : withStartCommandOf(environment ?? {}, parseKeptManifest(text))
    const resource = await ingest.reuse(sha256)
    const found = await packages.get(subject)
    await assertNoProgram(found)
    await quota.assert(found.namespace, resource.length)
    const hasManifest = found.manifest !== undefined || Object.keys(parsed ?? {}).length > 0
    return { resource, dependencies, environment, ...(parsed && hasManifest ? { manifest: parsed } : {}) }
  }

  /** The source of an application must not replace a program by accident: it may have the same name. */
  const assertNoProgram = async (found: Package) => {
    const [stager] = await stagers.list({ packageUuid: found.uuid })
    if (stager)
      throw new Conflict(
        'package-of-stager',
        `${formatFqn('package', found)} holds the program of ${formatFqn('job', stager)}: choose another name, or change the stager.`,
      )
  }

  /** Makes documents of these stagings, with the nodes that run them. */
  const rendererOf = async (found: readonly SubmittedStaging[], waiting?: Waiting) => {
    const owners = await nodes.ofTerms([...new Set(found.flatMap((staging) => ownerOf(staging) ?? []))])
    return (staging: SubmittedStaging): Staging => {
      const owner = ownerOf(staging)
      return renderStaging(staging, {
        kept: kept.of(staging.uuid),
        node: owner === undefined ? undefined : owners.get(owner),
        waiting,
      })
    }
  }
  const render = async (staging: SubmittedStaging, waiting?: Waiting) => (await rendererOf([staging], waiting))(staging)

  /** With its log, for a client that accepts that. */
  const sendSubmitted = (reply: FastifyReply, staging: SubmittedStaging, { accept }: IncomingHttpHeaders) => {
    reply.header('location', `/v1/stagings/${staging.uuid}`)
    return accept?.includes(EVENT_STREAM) === true
      ? sendStagingLog(reply, { uuid: staging.uuid, query: {}, headers: {} }, log, closing)
      : reply.code(201).send(renderStaging(staging))
  }

  api.get(
    '/v1/stagings',
    {
      access: lists(
        (staging: Staging) => parseFqn(staging.package, 'package', '/').namespace,
        ({ query }: { query: Static<typeof StagingQuery> }) => [
          // A UUID is not looked up.
          ...readingAll('package', query.package !== undefined && isUuid(query.package) ? [] : [query.package]),
          ...readingAll('stagpipe', [query.pipeline]),
        ],
      ),
      schema: {
        operationId: 'listStagings',
        tags,
        description: 'newest first',
        querystring: StagingQuery,
        response: { 200: Type.Array(Staging), ...REFUSALS },
      },
    },
    async ({ query, caller }) => {
      const found = await ledger.list({
        // Before the limit counts.
        namespaces: visible(caller),
        ...(query.state === undefined ? {} : { state: query.state }),
        ...(query.package === undefined ? {} : { packageUuid: await packageUuid(query.package) }),
        ...(query.pipeline === undefined ? {} : { pipelineFqn: await pipelineFqn(query.pipeline) }),
        ...(query.since === undefined ? {} : { since: parseTime(query.since, 'since') }),
        limit: query.limit ?? 100,
      })
      return found.map(await rendererOf(found))
    },
  )

  api.post(
    '/v1/stagings',
    {
      access: writes(({ body }: { body: StagingDraft }) => [
        writing('package', body.package),
        reading('stagpipe', body.pipeline),
        ...readingAll('resource', [body.source?.resource]),
      ]),
      schema: {
        operationId: 'createStaging',
        tags,
        querystring: NoQuery,
        body: StagingDraft,
        response: SUBMITTED,
      },
    },
    async ({ body, notes, headers }, reply) => {
      const subject = parseRef(body.package, 'package')
      const source = body.source && (await sourceOf(subject, body.source))
      const keepFailedMs = inMilliseconds(body.keep_failed_seconds)
      const pipeline = parseRef(body.pipeline, 'stagpipe')
      const secrets = new Map(
        Object.entries(body.secrets ?? {}).map(([name, value]) => [name, Buffer.from(value, 'base64')]),
      )
      const notify = body.notify?.map((one) => receivers.accept(one))
      if (notify) notes.receivers = notify.map(originOf)
      const options = { source, reuse: body.reuse, keepFailedMs, secrets, notify }
      const submitted = await stagings.submit(subject, pipeline, options)
      return sendSubmitted(reply, submitted, headers)
    },
  )

  api.get(
    '/v1/stagings/:uuid',
    {
      access: readsByUuid('staging'),
      schema: {
        operationId: 'showStaging',
        tags,
        params: UuidPath,
        querystring: NoQuery,
        response: { 200: Staging, ...REFUSALS },
      },
    },
    async ({ params }) => {
      const staging = await ledger.get(params.uuid)
      const waiting = staging.state === 'queued' ? await ledger.waiting(params.uuid, self) : undefined
      return await render(staging, waiting)
    },
  )

  api.post(
    '/v1/stagings/:uuid/cancel',
    {
      access: writesByUuid('staging'),
      schema: {
        operationId: 'cancelStaging',
        tags,
        params: UuidPath,
        querystring: NoQuery,
        response: { 202: Staging, ...REFUSALS },
      },
    },
    async ({ params }, reply) => {
      const { uuid } = await ledger.get(params.uuid)
      return reply.code(202).send(await render(await stagings.cancel(uuid)))
    },
  )

  api.post(
    '/v1/stagings/:uuid/retry',
    {
      access: writesByUuid('staging'),
      schema: {
        operationId: 'retryStaging',
        tags,
        description:
          'of a staging that has succeeded, as long as its result is kept: from its source. Its end is told to the webhooks of namespaces, and to none that an earlier call has named',
        params: UuidPath,
        querystring: RetryQuery,
        response: SUBMITTED,
      },
    },
    async ({ params, query, headers }, reply) => {
      const { uuid } = await ledger.get(params.uuid)
      const keepFailedMs = inMilliseconds(query.keep_failed_seconds)
      const submitted = await stagings.retry(uuid, { reuse: query.reuse, keepFailedMs })
      return sendSubmitted(reply, submitted, headers)
    },
  )
}

/** The term that runs it; undefined if none does. */
function ownerOf({ state, term }: SubmittedStaging): number | undefined {
  return state === 'running' ? term : undefined
}

function inMilliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000
}
