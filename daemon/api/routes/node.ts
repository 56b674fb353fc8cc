import { Type } from 'typebox'
import type { NodeReport } from '../../node/node-report.js'
import type { Readiness } from '../../node/readiness.js'
import type { NodeRepository } from '../../store/node-repository.js'
import type { StagingService } from '../../staging/staging-service.js'
import { DoctorReport, NodeStatus } from '../../documents/node.js'
import { ADMINISTRATORS, EVERYBODY, HOLDERS } from '../access.js'
import type { Api } from '../fastify.js'
import { NodeQuery, NoQuery, REFUSALS } from './schemas.js'

const Health = Type.Object({ status: Type.Literal('ok') }, { title: 'Health' })

export interface NodeRoutesParts {
  readonly node: Pick<NodeReport, 'status' | 'doctor'>
  readonly readiness: Pick<Readiness, 'assertReady'>
  readonly stagings: Pick<StagingService, 'drain' | 'undrain'>
  readonly nodes: Pick<NodeRepository, 'setState'>
  /** UUID of this node. */
  readonly self: string
}

export function nodeRoutes(api: Api, { node, readiness, stagings, nodes, self }: NodeRoutesParts): void {
  const tags = ['node']

  api.get(
    '/v1/node',
    {
      access: ADMINISTRATORS,
      home: 'asked',
      schema: { operationId: 'showNode', tags, querystring: NodeQuery, response: { 200: NodeStatus, ...REFUSALS } },
    },
    async () => node.status(),
  )

  api.post(
    '/v1/node/drain',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'drainNode',
        tags,
        description: 'admits no queued staging until the node is undrained or stagerd is restarted; running ones go on',
        querystring: NoQuery,
        response: { 200: NodeStatus, ...REFUSALS },
      },
    },
    async () => {
      await nodes.setState(self, 'draining')
      stagings.drain()
      return await node.status()
    },
  )

  api.post(
    '/v1/node/undrain',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'undrainNode',
        tags,
        description: 'admits queued stagings again',
        querystring: NoQuery,
        response: { 200: NodeStatus, ...REFUSALS },
      },
    },
    async () => {
      await nodes.setState(self, 'active')
      stagings.undrain()
      return await node.status()
    },
  )

  api.get(
    '/v1/node/doctor',
    {
      access: ADMINISTRATORS,
      home: 'asked',
      schema: {
        operationId: 'examineNode',
        tags,
        querystring: NodeQuery,
        response: { 200: DoctorReport, ...REFUSALS },
      },
    },
    async () => {
      const findings = await node.doctor()
      return { findings: findings.map(({ subject, verdict, message }) => ({ subject, verdict, message })) }
    },
  )

  api.get(
    '/healthz',
    {
      access: EVERYBODY,
      schema: {
        operationId: 'checkHealth',
        tags,
        description: 'whether the daemon answers',
        querystring: NoQuery,
        response: { 200: Health, ...REFUSALS },
      },
    },
    () => ({ status: 'ok' as const }),
  )

  api.get(
    '/readyz',
    {
      access: HOLDERS,
      schema: {
        operationId: 'checkReadiness',
        tags,
        description: 'whether stagings are admitted',
        response: { 200: Health, ...REFUSALS },
      },
    },
    async () => {
      await readiness.assertReady()
      return { status: 'ok' as const }
    },
  )
}
