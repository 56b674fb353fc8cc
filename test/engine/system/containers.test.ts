import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { PrivateDaemon } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

let daemon: PrivateDaemon
let certificates: string
let proxy: Server
/** The URL and the Proxy-Authorization of each request. */
let proxied: string[]
const file = (name: string) => path.join(daemon.directory, name)

beforeAll(async () => {
  proxied = []
  const host = Object.values(networkInterfaces())
    .flat()
    .find((found) => found?.family === 'IPv4' && !found.internal)!.address
  proxy = createServer(({ url, headers }, response) => {
    proxied.push(`${url ?? ''} ${headers['proxy-authorization'] ?? ''}`)
    response.end('hello from the proxy\n')
  }).listen(0, host)
  await once(proxy, 'listening')
  const url = `http://user:secret@${host}:${(proxy.address() as AddressInfo).port}`
  certificates = await mkdtemp(path.join(tmpdir(), 'stagerd-certificates-'))
  const bundle = path.join(certificates, 'ca.pem')
  await writeFile(bundle, '-----BEGIN CERTIFICATE-----\n')
  daemon = await PrivateDaemon.start(['--no-proxy', '.lan', '--ca-bundle', bundle], { STAGERD_HTTP_PROXY: url })
  await daemon.addPackage(await recipeTarball('debian-12'), 'debian-12', { provides: 'os.linux' })
  await daemon.addPackage(await tarballOf(file('app.tar.gz'), { readme: 'hello' }), 'app', { dependencies: 'os.linux' })
})

afterAll(async () => {
  proxy.close()
  await rm(certificates, { recursive: true })
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

describe('a stager on debian-12', () => {
  const PROGRAM = `#!/bin/bash
exec 2>&1
set -e
echo "charmap $(locale charmap)"
echo "dotted $(env | grep ^discovery)"
test -d /var/lock/ && echo 'lock there'
sudo sudo true && echo 'sudo as root'
sudo su runner -s /bin/sh -c 'echo su as $(whoami)'
echo "exceptions $no_proxy $NO_PROXY"
sudo sh -c 'echo "sudo keeps $http_proxy"'
sudo chroot /stagerfs getent hosts localhost
curl -fsS -X POST "$STAGER_URL/done"
`

  it('has UTF-8, accounts that are not expired, all of its variables, and a coordinator beside any proxy', async () => {
    await daemon.addPackage(await stagerTarball(file('program.tar.gz'), { stage: PROGRAM }), 'program', {
      dependencies: 'os.linux',
    })
    await daemon.addStager({
      name: 'pipe',
      package: 'package::/::program',
      start_command: 'cd /app && ./stage',
      // Nothing answers at this address.
      environment: { http_proxy: 'http://192.0.2.250:9', no_proxy: 'a.lan b.lan', 'discovery.type': 'single node' },
    })
    await daemon.addPackage(await tarballOf(file('source.tar.gz'), { readme: 'hello' }), 'source', {
      state: 'uploaded',
      dependencies: 'os.linux',
    })
    const { uuid } = await daemon.submit('source', 'pipe')
    const { failure } = await daemon.ended(uuid)
    const text = await daemon.text(uuid)
    expect(failure, text).toBeUndefined()
    const [, address] = /exceptions a\.lan b\.lan,([\d.]+) a\.lan b\.lan,\1$/m.exec(text) ?? []
    expect(address, text).toMatch(/^198\.1[89]\./)
    for (const line of [
      'charmap UTF-8',
      'dotted discovery.type=single node',
      'lock there',
      'sudo as root',
      'su as runner',
      'sudo keeps http://192.0.2.250:9',
    ])
      expect(text.split('\n')).toContain(line)
    expect(text).toMatch(/^127\.0\.0\.1 +localhost$/m)
  })
})

describe('the proxy of a node', () => {
  const FETCH = 'curl -sS --max-time 20 http://example.invalid/page'

  it('is used by programs with egress, also where it is on this host', async () => {
    const { stdout, stderr } = await daemon.stagectl('run', 'app', '--allow-egress', '--command', FETCH)
    expect(stdout, stderr).toBe('hello from the proxy')
    expect(proxied).toEqual([`http://example.invalid/page Basic ${Buffer.from('user:secret').toString('base64')}`])
  })

  it('does not exist for programs without egress', async () => {
    const before = proxied.length
    const { stdout } = await daemon.stagectl('run', 'app', '--command', `env | grep -i proxy; ${FETCH}`)
    expect(stdout).toBe('')
    expect(proxied).toHaveLength(before)
  })

  it('is not shown with its password', async () => {
    const reports = await Promise.all(['status', 'doctor'].map((name) => daemon.stagectl('node', name, '--json')))
    const shown = [await daemon.log(), ...reports.flatMap(({ stdout, stderr }) => [stdout, stderr])]
    expect(shown.join('\n')).not.toContain('secret')
  })
})

it('every variable of a run that names a file names one that is there', async () => {
  const command = `env | sed -n 's#^[^=]*=\\(/[^:]*\\)$#\\1#p' | sort -u | xargs ls -d`
  const { stdout, stderr } = await daemon.stagectl('run', 'app', '--command', command)
  expect({ files: stdout.split('\n'), stderr }).toEqual({
    files: ['/', '/app', '/etc/ssl/stagerd-ca.pem'],
    stderr: '',
  })
})

it('the single published port of a run is PORT', async () => {
  const print = 'echo "${PORT:-none}"'
  const { stdout } = await daemon.stagectl('run', 'app', '--publish', '3000', '--command', print)
  expect(stdout).toContain('3000')
  const several = await daemon.stagectl('run', 'app', '--publish', '3000', '--publish', '3001', '--command', print)
  expect(several.stdout).toContain('none')
})
