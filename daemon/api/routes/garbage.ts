import { GARBAGE_KINDS } from '../../model/garbage.js'
import type { Collector } from '../../garbage/collector.js'
import { GarbageReport, GarbageRequest } from '../../documents/garbage.js'
import { ADMINISTRATORS } from '../access.js'
import type { Api } from '../fastify.js'
import { NodeQuery, REFUSALS } from './schemas.js'

const WEEK_MS = 7 * 24 * 60 * 60 * 1000

export interface GarbageRoutesParts {
  readonly garbage: Pick<Collector, 'collect'>
}

export function garbageRoutes(api: Api, { garbage }: GarbageRoutesParts): void {
  api.post(
    '/v1/node/gc',
    {
      access: ADMINISTRATORS,
      home: 'asked',
      schema: {
        operationId: 'collectGarbage',
        tags: ['node'],
        description: 'remove what nothing refers to and nothing uses',
        querystring: NodeQuery,
        body: GarbageRequest,
        response: { 200: GarbageReport, ...REFUSALS },
      },
    },
    async ({ body }) => {
      const { dry_run: dryRun = false, older_than_ms: olderThanMs = WEEK_MS, keep_bytes: keepBytes } = body
      const removed = await garbage.collect({ dryRun, olderThanMs, keepBytes })
      return {
        dry_run: dryRun,
        removed: removed.map(({ kind, id, bytes, usedAt }) => ({ kind, id, bytes, used_at: usedAt.toISOString() })),
        totals: GARBAGE_KINDS.map((kind) => {
          const ofKind = removed.filter((one) => one.kind === kind)
          return { kind, count: ofKind.length, bytes: ofKind.reduce((total, { bytes }) => total + bytes, 0) }
        }),
      }
    },
  )
}
