import { expect, it } from 'vitest'
import { Readiness } from '../../daemon/node/readiness.js'
import { Unavailable } from '../../base/errors.js'

const under = (state: { database?: Error; engine?: Error; firewall?: string; ready?: boolean; draining?: boolean }) => {
  let looks = 0
  const readiness = new Readiness({
    isolation: {
      ping: () => (state.engine ? Promise.reject(state.engine) : Promise.resolve()),
      examineFirewall: () => {
        looks += 1
        const message = state.firewall
        return Promise.resolve(message === undefined ? [] : [{ subject: 'firewall', verdict: 'bad', message }])
      },
    },
    database: { ping: () => (state.database ? Promise.reject(state.database) : Promise.resolve()) },
    stagings: { ready: state.ready ?? true, draining: state.draining ?? false },
  })
  return { readiness, looks: () => looks }
}

it.each([
  ['database-unreachable', { database: new Unavailable('database-unreachable', 'It does not answer.') }],
  ['engine-down', { engine: new Unavailable('engine-down', 'The Engine is down.') }],
  ['firewall-unusable', { firewall: 'no launch can start, because iptables is missing' }],
  ['starting', { ready: false }],
  ['draining', { draining: true }],
] as const)('a node is not ready: %s', async (code, state) => {
  await expect(under(state).readiness.assertReady()).rejects.toMatchObject({ code, kind: 'unavailable' })
})

it('a node that has everything is ready, and does not look at the firewall for each question', async () => {
  const { readiness, looks } = under({})
  for (let asked = 0; asked < 3; asked++) await readiness.assertReady()
  expect(looks()).toBe(1)
})
