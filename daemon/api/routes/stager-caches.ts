import { Type, type Static } from 'typebox'
import { assertNamespace, formatFqn, parseFqn } from '../../../base/fqn.js'
import { StagerCache } from '../../documents/stager-cache.js'
import type { CacheFilter, KnownCache, StagerCaches } from '../../garbage/stager-caches.js'
import { lists, puttingInto, readingAll, writes, writing } from '../access.js'
import type { Api } from '../fastify.js'
import { parseRef } from '../parse-ref.js'
import { ofNode, REFUSALS } from './schemas.js'

const CachesQuery = Type.Object(
  {
    namespace: Type.Optional(Type.String({ description: 'caches for packages of this namespace and all below it' })),
    stager: Type.Optional(Type.String({ minLength: 1, description: 'UUID or full name' })),
    package: Type.Optional(Type.String({ minLength: 1, description: 'UUID or full name' })),
    ...ofNode,
  },
  { additionalProperties: false },
)

export interface StagerCacheRoutesParts {
  readonly caches: Pick<StagerCaches, 'list' | 'clear'>
}

export function stagerCacheRoutes(api: Api, { caches }: StagerCacheRoutesParts): void {
  const common = { tags: ['stagers'], querystring: CachesQuery }

  api.get(
    '/v1/stager-caches',
    {
      access: lists(namespaceOfCache, ({ query }: { query: Static<typeof CachesQuery> }) => [
        ...readingAll('job', [query.stager]),
        ...readingAll('package', [query.package]),
      ]),
      home: 'asked',
      schema: {
        operationId: 'listStagerCaches',
        description: 'what is kept for stagers from one staging of a package to the next; the latest use first',
        ...common,
        response: { 200: Type.Array(StagerCache), ...REFUSALS },
      },
    },
    async ({ query }) => (await caches.list(filterOf(query))).map(render),
  )

  api.delete(
    '/v1/stager-caches',
    {
      access: writes(({ query }: { query: Static<typeof CachesQuery> }) => [
        query.package === undefined ? puttingInto(query.namespace ?? '/') : writing('package', query.package),
        ...readingAll('job', [query.stager]),
      ]),
      home: 'asked',
      schema: {
        operationId: 'clearStagerCaches',
        description: 'empties them; a launch that has one goes on with what it has found, and keeps nothing',
        ...common,
        response: { 200: Type.Array(StagerCache, { description: 'those that were emptied' }), ...REFUSALS },
      },
    },
    async ({ query }) => (await caches.clear(filterOf(query))).map(render),
  )
}

function namespaceOfCache(cache: StagerCache): string {
  return parseFqn(cache.package, 'package', '/').namespace
}

function filterOf({ namespace, stager, package: ofPackage }: Static<typeof CachesQuery>): CacheFilter {
  if (namespace !== undefined) assertNamespace(namespace)
  return {
    namespace,
    stager: stager === undefined ? undefined : parseRef(stager, 'job'),
    package: ofPackage === undefined ? undefined : parseRef(ofPackage, 'package'),
  }
}

function render({ package: ofPackage, stager, bytes, usedAt, inUse }: KnownCache): StagerCache {
  return {
    package: formatFqn('package', ofPackage),
    stager: formatFqn('job', stager),
    bytes,
    used_at: usedAt.toISOString(),
    in_use: inUse,
  }
}
