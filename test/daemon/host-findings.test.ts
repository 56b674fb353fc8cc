import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { expect, it, onTestFinished } from 'vitest'
import {
  clockFindings,
  diskFinding,
  examineHost,
  examineProxy,
  inodeFindings,
  mtuFindings,
  permissionFinding,
} from '../../daemon/node/host-findings.js'
import { uplinkMtu } from '../../isolation/network/uplink-mtu.js'

const GIB = 1024 ** 3

it('the disk is judged by what is free, in all and as a share', () => {
  expect(diskFinding({ free: 50 * GIB, size: 100 * GIB }).verdict).toBe('good')
  expect(diskFinding({ free: 4 * GIB, size: 8 * GIB }).verdict).toBe('slow')
  expect(diskFinding({ free: 50 * GIB, size: 1000 * GIB }).verdict).toBe('slow')
  expect(diskFinding({ free: 20 * GIB, size: 1000 * GIB }).verdict).toBe('bad')
  const { verdict, message } = diskFinding({ free: GIB / 2, size: 2 * GIB })
  expect([verdict, message]).toEqual(['bad', expect.stringContaining('0.5 GiB of 2.0 GiB are free')])
  expect(message).toContain('stagectl node gc')
})

it('inodes are judged where the filesystem has a limit', () => {
  expect(inodeFindings({ free: 0, total: 0 })).toEqual([])
  const verdicts = [50, 9, 2].map((free) => inodeFindings({ free, total: 100 })[0]?.verdict)
  expect(verdicts).toEqual(['good', 'slow', 'bad'])
})

it('only root may write to the state directory', () => {
  expect(permissionFinding('/state', { uid: 0, mode: 0o40711 }).verdict).toBe('good')
  expect(permissionFinding('/state', { uid: 0, mode: 0o40775 }).message).toContain('chmod go-w /state')
  expect(permissionFinding('/state', { uid: 1000, mode: 0o40711 }).message).toContain('chown root /state')
})

it('a clock that nobody sets is found, and nothing is said where nobody knows', () => {
  expect(clockFindings(undefined)).toEqual([])
  expect([true, false].map((one) => clockFindings(one)[0]?.verdict)).toEqual(['good', 'slow'])
})

it('packets of launches that are too long for their way are found', () => {
  expect(mtuFindings('uplink', undefined)).toEqual([])
  expect(mtuFindings('uplink', 1450)[0]?.message).toMatch(
    /1450 bytes, and the networks of launches have an MTU of 1450$/,
  )
  expect([1400, 1450, 1500].map((choice) => mtuFindings(choice, 1450)[0]?.verdict)).toEqual(['good', 'good', 'bad'])
  expect(mtuFindings(1500, 1450)[0]?.message).toContain('set network-mtu to uplink')
  expect(mtuFindings('uplink', 1000)[0]?.message).toContain('no network has less than 1280')
})

it('a proxy that does not answer is found', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  expect(await examineProxy({ host: '127.0.0.1', port })).toMatchObject({ verdict: 'good' })
  server.close()
  await once(server, 'close')
  const { verdict, message } = await examineProxy({ host: '127.0.0.1', port })
  expect([verdict, message]).toEqual(['bad', expect.stringContaining('correct http-proxy and https-proxy')])
})

it('all of them are looked at on a real host', async () => {
  const findings = await examineHost({ stateDirectory: tmpdir(), proxies: [], networkMtu: 'uplink', uplinkMtu })
  expect(findings.map(({ subject }) => subject)).toEqual(expect.arrayContaining(['disk', 'state directory']))
})
