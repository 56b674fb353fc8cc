import { Type } from 'typebox'
import { Unavailable } from '../../../base/errors.js'
import type { NodeReport } from '../../node/node-report.js'
import type { StagingService } from '../../staging/staging-service.js'
import { DoctorReport, NodeStatus } from '../../documents/node.js'
import { ADMINISTRATORS, EVERYBODY, HOLDERS } from '../access.js'
import type { Api } from '../fastify.js'
import { NoQuery, REFUSALS } from './schemas.js'

const Health = Type.Object({ status: Type.Literal('ok') }, { title: 'Health' })

export interface NodeRoutesParts {
  readonly node: Pick<NodeReport, 'status' | 'doctor'>
  readonly stagings: Pick<StagingService, 'ready'>
}

export function nodeRoutes(api: Api, { node, stagings }: NodeRoutesParts): void {
  const tags = ['node']

  api.get(
    '/v1/node',
    {
      access: ADMINISTRATORS,
      schema: { operationId: 'showNode', tags, querystring: NoQuery, response: { 200: NodeStatus, ...REFUSALS } },
    },
    async () => node.status(),
  )

  api.get(
    '/v1/node/doctor',
    {
      access: ADMINISTRATORS,
      schema: { operationId: 'examineNode', tags, querystring: NoQuery, response: { 200: DoctorReport, ...REFUSALS } },
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
        response: { 200: Health },
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
      const { engine } = await node.status()
      if (!engine.answers) throw new Unavailable('engine-down', engine.message)
      if (!stagings.ready)
        throw new Unavailable('starting', 'stagerd is still cleaning up after its last run: wait a moment.')
      return { status: 'ok' as const }
    },
  )
}
