import { chmod, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished, test } from 'vitest'
import { runProcess } from '../../base/run-process.js'
import { readNodeCertificate } from '../../daemon/node-certificate.js'
import { nodeAddressOf } from '../../daemon/settings/node-address.js'
import { Authority, type CertificateFiles } from '../support/certificates.js'
import { temporaryDirectory } from './store/temporary-directory.js'

const NODE = { usages: 'serverAuth,clientAuth' }
let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let fleet: Authority
beforeAll(async () => {
  directory = await temporaryDirectory()
  fleet = await Authority.make(directory.path)
})
afterAll(() => directory.remove())

it('is not set, or whole', () => {
  const none = { address: undefined, certificate: undefined, key: undefined, authority: undefined }
  const address = { host: '10.0.0.5', port: 7301 }
  const whole = { address, certificate: '/c', key: '/k', authority: '/a' }
  const check = (changes: object) => () => nodeAddressOf({ ...none, ...changes })
  expect(check({})()).toBeUndefined()
  expect(check(whole)()).toEqual({ ...address, certificate: '/c', key: '/k', authority: '/a' })
  expect(check({ ...whole, key: undefined, authority: undefined })).toThrow(
    'node-address needs node-key and node-authority: nodes speak with each other over TLS only',
  )
  expect(check({ ...whole, address: undefined })).toThrow('are for node-address, which is not set')
  for (const host of ['0.0.0.0', '::', '0:0:0:0:0:0:0:0'])
    expect(check({ ...whole, address: { host, port: 7301 } }), host).toThrow('which other nodes cannot reach')
})

test('the commands of docs/fleet.md make certificates that nodes take', async () => {
  const text = await readFile(new URL('../../docs/fleet.md', import.meta.url), 'utf8')
  const blocks = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block)
  expect(blocks).toHaveLength(2)
  const made = await temporaryDirectory()
  onTestFinished(() => made.remove())
  const at = (name: string) => path.join(made.path, name)
  for (const block of blocks) await runProcess('sh', ['-ec', `cd ${made.path}\n${block}`])
  const address = { host: '10.0.0.5', port: 7301, certificate: at('node.pem'), key: at('node-key.pem') }
  expect(await readNodeCertificate({ ...address, authority: at('fleet.pem') })).toHaveProperty('expiresAt')
})

const refusal = (files: CertificateFiles, more: { authority?: string; host?: string; now?: Date } = {}) => {
  const { authority = fleet.certificate, host = '127.0.0.1', now } = more
  return readNodeCertificate({ host, port: 7301, ...files, authority }, now).then(
    () => 'accepted',
    (error: unknown) => `${(error as { code: string }).code}: ${(error as Error).message}`,
  )
}

test('a certificate that other nodes would not trust is refused at the start, with the file and the reason', async () => {
  const files = await fleet.issue('node', NODE)
  expect(await refusal(files)).toBe('accepted')
  expect(await refusal(files, { host: 'localhost' })).toBe('accepted')
  const says = (reason: RegExp) =>
    expect.stringMatching(new RegExp(`^bad-node-certificate: The certificate /\\S+\\.pem ${reason.source}`)) as string
  expect(await refusal(files, { host: '10.0.0.5' })).toEqual(says(/is not for 10\.0\.0\.5, where other nodes/))
  expect(await refusal(files, { host: 'build-1' })).toEqual(says(/is not for build-1/))
  expect(await refusal(await fleet.issue('old', { ...NODE, days: -1 }))).toEqual(says(/has expired at .* GMT: have it/))
  const early = new Date(Date.now() - 86_400_000)
  expect(await refusal(files, { now: early })).toEqual(says(/is not valid before .* GMT: check the clock/))
  const other = await Authority.make(directory.path, 'another')
  expect(await refusal(files, { authority: other.certificate })).toEqual(says(/is not signed by the authority in/))
  // It has the same name, and another key.
  const twin = await Authority.make(directory.path, 'authority-twin', 'authority')
  expect(await refusal(files, { authority: twin.certificate })).toEqual(says(/is not signed by the authority in/))
  expect(await refusal(await fleet.issue('plain'))).toEqual(
    says(/lacks the extended key usage serverAuth and clientAuth/),
  )
  expect(await refusal(await fleet.issue('server', { usages: 'serverAuth' }))).toEqual(
    says(/lacks the extended key usage clientAuth: have it made with extendedKeyUsage=serverAuth,clientAuth/),
  )
  expect(await refusal(files, { authority: files.certificate })).toMatch(
    /^bad-node-authority: .* has no certificate of an/,
  )
  expect(await refusal(files, { authority: files.key })).toMatch(/^bad-node-authority: .* has no certificate of an/)
  expect(await refusal(files, { authority: '/no/such' })).toMatch(/^bad-node-authority: .*give node-authority the path/)
  expect(await refusal({ ...files, key: (await fleet.issue('x', NODE)).key })).toMatch(
    /^bad-node-key: .* is not the key/,
  )
  await chmod(files.key, 0o644)
  expect(await refusal(files)).toMatch(/^bad-node-key: The key .* has mode 644/)
})
