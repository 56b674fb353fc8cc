import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { addressesInUse, addressesOf, interfaceIndex, isDeserted } from '../../../isolation/network/bridge-traces.js'

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
/** One line of /proc/net/tcp on a host with the byte order of x86. */
const socket = (local: string, state: string) =>
  `   0: ${local} 020012C6:C350 ${state} 00000000:00000000 00:00000000 00000000     0        0 4128 1\n`

it.each([
  ['listens', '0A'],
  ['is connected', '01'],
  ['was closed, and still sends', '04'],
  ['answers the first packet of a connection', '03'],
])('an address is in use where a socket %s', (_, state) => {
  expect([...addressesOf(HEAD + socket('010012C6:1F90', state))]).toEqual(['198.18.0.1'])
})

it('an address is not in use where a connection has ended on both sides', () => {
  expect([...addressesOf(HEAD + socket('010012C6:1F90', '06'))]).toEqual([])
})

it('the table of the kernel tells of a socket that listens, and of its end', async () => {
  const server: Server = createServer().listen(0, '127.7.7.7')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  expect((await addressesInUse()).has('127.7.7.7')).toBe(true)
  server.close()
  await once(server, 'close')
  expect((await addressesInUse()).has('127.7.7.7')).toBe(false)
})

it('an interface that is not there has no index, and is not taken for deserted', () => {
  expect(interfaceIndex('lo')).toBe(1)
  expect(interfaceIndex('sd-of-nobody')).toBeUndefined()
  expect(isDeserted({ interface: 'sd-of-nobody' })).toBe(false)
})
