import { Readable } from 'node:stream'
import { Type } from 'typebox'
import { TooLarge } from '../../../base/errors.js'
import { Holder, type Leases } from '../../../base/leases.js'
import type { RecentUploads } from '../../access/recent-uploads.js'
import type { Package } from '../../packages/package.js'
import { assembleSource, type OnSegment } from '../../store/assemble-source.js'
import { overQuota, type PackageQuota } from '../../store/package-quota.js'
import type { PackageRepository } from '../../store/repositories.js'
import type { ArchiveFacts, ResourceIngest } from '../../store/resource-ingest.js'
import type { SegmentTables } from '../../store/segment-tables.js'
import type { StagingLedger } from '../../store/staging-ledger.js'
import { UploadedResource } from '../../documents/package.js'
import { LackingSegments, SegmentList } from '../../documents/segments.js'
import { readsNamed, writesNamed } from '../access.js'
import type { Api } from '../fastify.js'
import { lingerOnRefusal } from '../linger.js'
import { parseRef } from '../parse-ref.js'
import { streamSignal } from '../stream-signal.js'
import { uploadBody } from '../upload-body.js'
import { NoQuery, RefPath, REFUSALS } from './schemas.js'

const tags = ['packages']

/** Of a list of segments, in bytes: each takes 67. */
const LIST_BYTES = 16 * 1024 * 1024

/** Stagings that are looked at for an earlier source. */
const STAGINGS = 20

/** Only for OpenAPI: the handler reads the body itself. */
const Composition = {
  description:
    'a line for each segment, in order: `have DIGEST` for one that the daemon has, or `data DIGEST LENGTH` and that many bytes for one that it lacks',
  content: { 'application/octet-stream': { schema: Type.Unknown() } },
}

export interface PackageSourceRoutesParts {
  readonly packages: Pick<PackageRepository, 'get'>
  readonly ledger: Pick<StagingLedger, 'list'>
  readonly ingest: Pick<ResourceIngest, 'receiveAssembled'>
  /** Of one archive. */
  readonly scanSegments: () => { readonly add: OnSegment; readonly facts: () => ArchiveFacts | undefined }
  readonly quota: PackageQuota
  readonly uploads: Pick<RecentUploads, 'add'>
  readonly segments: SegmentTables
  readonly live: Leases
  /** For tests: see upload-body.ts. */
  readonly uploadStallMs?: number
}

/**
 * Uploads of what has changed. A packed source has segments: the client asks which ones are lacking, and sends those and
 * the order of all. What is assembled is received like any upload,
 * without decompressing again what is known.
 *
 * Segments are taken from the last source of the same package only: a digest that a client knows must not give it data of
 * another package. Nothing is kept from one request to the next.
 */
export function packageSourceRoutes(api: Api, parts: PackageSourceRoutesParts, closing: AbortSignal): void {
  const { packages, ledger, ingest, scanSegments, quota, uploads, segments, live, uploadStallMs } = parts
  api.addContentTypeParser('application/octet-stream', (_request, _payload, done) => done(null))

  const lastSource = async ({ uuid, resource }: Package): Promise<string | undefined> => {
    const stagings = await ledger.list({ packageUuid: uuid, limit: STAGINGS })
    return (stagings.find(({ source }) => source)?.source?.resource ?? resource)?.sha256
  }

  /** The blob is not collected while `use` reads it. */
  const withLastSource = async <T>(found: Package, use: (sha256: string | undefined) => Promise<T>): Promise<T> => {
    const sha256 = await lastSource(found)
    const holder = new Holder()
    if (sha256 !== undefined) live.hold(sha256, holder)
    try {
      return await use(sha256)
    } finally {
      holder.release()
    }
  }

  api.post(
    '/v1/packages/:ref/source/lacking',
    {
      bodyLimit: LIST_BYTES,
      access: readsNamed('package'),
      schema: {
        operationId: 'findLackingSegments',
        tags,
        params: RefPath,
        querystring: NoQuery,
        body: SegmentList,
        response: { 200: LackingSegments, ...REFUSALS },
      },
    },
    async ({ params, body }) => {
      const found = await packages.get(parseRef(params.ref, 'package'))
      const table = await withLastSource(found, (sha256) => segments.of(sha256))
      return { lacking: [...body.segments.keys()].filter((position) => !table.has(body.segments[position] ?? '')) }
    },
  )

  api.post(
    '/v1/packages/:ref/source',
    {
      access: writesNamed('package'),
      schema: {
        operationId: 'assembleSource',
        tags,
        params: RefPath,
        querystring: NoQuery,
        body: Composition,
        response: { 201: UploadedResource, ...REFUSALS },
      },
    },
    async ({ raw, params }, reply) => {
      lingerOnRefusal(raw, reply)
      const found = await packages.get(parseRef(params.ref, 'package'))
      const maxBytes = await quota.of(found.namespace)
      const body = uploadBody(raw, uploadStallMs)
      try {
        return await withLastSource(found, async (sha256) => {
          const { base, close } = await segments.open(sha256)
          try {
            const { add, facts } = scanSegments()
            const archive = Readable.from(assembleSource(body, base, add), { objectMode: false })
            const signal = streamSignal(reply, closing)
            const { resource, entries } = await ingest.receiveAssembled(archive, facts, { maxBytes }, signal)
            const { compression, length } = resource
            uploads.add(resource.sha256, found.namespace)
            return await reply.code(201).send({ sha256: resource.sha256, length, compression, entries })
          } finally {
            close()
          }
        })
      } catch (error) {
        if (body.fault) throw body.fault
        const isOver = error instanceof TooLarge && error.code === 'blob-too-large'
        throw isOver ? overQuota(found.namespace, maxBytes) : error
      } finally {
        body.destroy()
      }
    },
  )
}
