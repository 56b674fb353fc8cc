import type Docker from 'dockerode'
import { expect, it } from 'vitest'
import { AddressPool } from '../../../isolation/network/address-pool.js'
import { Bridges } from '../../../isolation/network/bridges.js'

const OWNER = { nodeId: '00000000-0000-4000-8000-000000000000', installDirectory: '/opt/stagerd' }
const OVERLAP = Object.assign(new Error('conflict'), {
  statusCode: 403,
  json: { message: 'Pool overlaps with other one on this address space' },
})

/** An Engine that refuses the first networks with `refusal`, and takes all others. */
function engineThatRefuses(times: number, refusal: Error, foreign: readonly string[] = []) {
  const created: Docker.NetworkCreateOptions[] = []
  let left = times
  const engine = {
    createNetwork(options: Docker.NetworkCreateOptions) {
      if (left-- > 0) return Promise.reject(refusal)
      created.push(options)
      return Promise.resolve({ id: String(created.length) })
    },
    listNetworks: () => Promise.resolve(foreign.map((cidr) => ({ IPAM: { Config: [{ Subnet: cidr }] } }))),
    getNetwork: () => ({ remove: () => Promise.resolve() }),
  }
  return { engine: engine as unknown as Docker, created }
}

/** Takes everything that is left, and gives it back. */
function free(pool: AddressPool): number {
  const rest = []
  // The pool forgets the networks of others when it is exhausted once.
  for (let exhausted = 0; exhausted < 2;) {
    const subnet = pool.allocate()
    if (subnet) rest.push(subnet)
    else exhausted += 1
  }
  for (const subnet of rest) pool.release(subnet)
  return rest.length
}

it.each([1, 15, 16, 17, 40])('after %i overlaps, and the removal, the whole pool is free', async (overlaps) => {
  const pool = new AddressPool('10.0.0.0/22')
  const bridges = new Bridges(engineThatRefuses(overlaps, OVERLAP).engine, OWNER, pool)
  const creating = bridges.create('a', true)
  if (overlaps < 16) await creating
  else
    await expect(creating).rejects.toMatchObject({
      code: 'no-free-network',
      message: expect.stringContaining('overlap networks of others') as string,
    })
  await bridges.remove('a')
  await bridges.remove('a')
  expect(free(pool)).toBe(pool.capacity)
})

it('a launch that gave up does not take the subnet of the next one', async () => {
  const pool = new AddressPool('10.0.0.0/27')
  const bridges = new Bridges(engineThatRefuses(2, OVERLAP).engine, OWNER, pool)
  await expect(bridges.create('a', true)).rejects.toMatchObject({ code: 'no-free-network' })
  const { subnet } = await bridges.create('b', true)
  await bridges.remove('a')
  const next = await bridges.create('c', true)
  expect(next.subnet.cidr).not.toBe(subnet.cidr)
  expect(free(pool)).toBe(0)
})

it('a network that may exist keeps its subnet until it is removed', async () => {
  const pool = new AddressPool('10.0.0.0/28')
  const lost = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
  const bridges = new Bridges(engineThatRefuses(1, lost).engine, OWNER, pool)
  await expect(bridges.create('a', true)).rejects.toMatchObject({ code: 'engine-down' })
  expect(free(pool)).toBe(0)
  await bridges.remove('a')
  expect(free(pool)).toBe(1)
})

it.each([true, false])('a network has the given MTU, internal or not: %s', async (internal) => {
  const { engine, created } = engineThatRefuses(0, OVERLAP)
  await new Bridges(engine, OWNER, new AddressPool('10.0.0.0/28'), () => 1400).create('a', internal)
  expect(created[0]).toMatchObject({ Internal: internal, Options: { 'com.docker.network.driver.mtu': '1400' } })
})

it('without an MTU, the Engine chooses', async () => {
  const { engine, created } = engineThatRefuses(0, OVERLAP)
  await new Bridges(engine, OWNER, new AddressPool('10.0.0.0/28')).create('a', true)
  expect(created[0]?.Options).not.toHaveProperty('com.docker.network.driver.mtu')
})
