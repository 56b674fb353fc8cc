import { Type } from 'typebox'
import { Unavailable } from '../../../base/errors.js'
import { DoctorReport, NodeStatus } from '../../documents/node.js'
import type { Routes } from '../fastify.js'
import { NoQuery, REFUSALS } from './schemas.js'

const Health = Type.Object({ status: Type.Literal('ok') }, { title: 'Health' })

export const nodeRoutes: Routes = (api, { parts: { node, isReady, metrics } }) => {
  const tags = ['node']

  api.get(
    '/v1/node',
    { schema: { tags, querystring: NoQuery, response: { 200: NodeStatus, ...REFUSALS } } },
    async () => node.status(),
  )

  api.get(
    '/v1/node/doctor',
    { schema: { tags, querystring: NoQuery, response: { 200: DoctorReport, ...REFUSALS } } },
    async () => {
      const findings = await node.doctor()
      return { findings: findings.map(({ subject, verdict, message }) => ({ subject, verdict, message })) }
    },
  )

  api.get(
    '/healthz',
    { schema: { tags, description: 'whether the daemon answers', response: { 200: Health } } },
    () => ({ status: 'ok' as const }),
  )

  api.get(
    '/readyz',
    { schema: { tags, description: 'whether a staging would begin', response: { 200: Health, ...REFUSALS } } },
    async () => {
      const { engine } = await node.status()
      if (!engine.answers) throw new Unavailable('engine-down', engine.message)
      if (isReady?.() === false)
        throw new Unavailable('starting', 'stagerd is still putting right what its last run has left: wait a moment.')
      return { status: 'ok' as const }
    },
  )

  api.get(
    '/metrics',
    {
      schema: {
        tags,
        response: { 200: { description: 'for Prometheus', content: { 'text/plain': { schema: Type.String() } } } },
      },
    },
    async (_request, reply) => reply.header('content-type', metrics.contentType).send(await metrics.metrics()),
  )
}
