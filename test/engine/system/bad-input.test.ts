import { mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runProcess } from '../../../base/run-process.js'
import type { Package } from '../../../daemon/documents/package.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { PrivateDaemon, until } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

let daemon: PrivateDaemon
const file = (name: string) => path.join(daemon.directory, name)

beforeAll(async () => {
  daemon = await PrivateDaemon.start()
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
})
afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

async function blobs(): Promise<string[]> {
  const names = await readdir(path.join(daemon.stateDirectory, 'blobs'), { recursive: true, withFileTypes: true })
  return names.filter((entry) => entry.isFile()).map(({ name }) => name)
}

async function names(): Promise<string[]> {
  return (await daemon.ask<Package[]>('GET', '/v1/packages')).map(({ name }) => name)
}

describe('rejected input leaves nothing, and the message says what is right', () => {
  it('a tarball with a path outside of the root', async () => {
    const before = await blobs()
    await tarballOf(file('evil.tar.gz'), { '../../etc/evil': 'x' })
    const { exitCode, stderr } = await daemon.stagectl('package', 'from-file', file('evil.tar.gz'), 'evil')
    expect(exitCode).toBe(4)
    expect(stderr).toContain('../../etc/evil')
    expect(await names()).toEqual(['busybox'])
    expect(await blobs()).toEqual(before)
  })

  it('a file that is not a tarball', async () => {
    await writeFile(file('readme.tar.gz'), 'I am not an archive, whatever my name says.')
    const { exitCode, stderr } = await daemon.stagectl('package', 'from-file', file('readme.tar.gz'), 'readme')
    expect(exitCode).toBe(4)
    expect(stderr).toMatch(/gzip, bzip2, xz or zstd/)
  })

  it.each(['-rf', 'a/b', 'ü', 'x'.repeat(129), '..'])('the invalid name %s', async (name) => {
    const answer = await daemon.call('POST', '/v1/packages', { namespace: '/', name })
    expect(answer).toMatchObject({ status: 400, document: { code: 'bad-name' } })
  })

  it('a pipeline of unknown stagers', async () => {
    const { exitCode, stderr } = await daemon.stagectl('pipeline', 'create', 'pipe', 'nobody')
    expect(exitCode).toBe(4)
    expect(stderr).toContain('There is no stager nobody in / or /apcera')
  })

  it('an upload whose digest or length is wrong', async () => {
    const before = await blobs()
    const tarball = await tarballOf(file('good.tar.gz'), { 'index.html': 'hello' })
    const curl = (...args: string[]) =>
      execa('curl', ['-s', '--unix-socket', daemon.socket, '-H', 'content-type: application/octet-stream', ...args])
    const wrong = await curl('--data-binary', `@${tarball}`, `http://stagerd/v1/resources?sha256=${'0'.repeat(64)}`)
    expect(JSON.parse(wrong.stdout)).toMatchObject({ status: 400, code: 'digest-mismatch' })
    const short = await execa(
      'curl',
      [
        ...['-s', '--max-time', '2', '--unix-socket', daemon.socket, '-H', 'content-type: application/octet-stream'],
        ...['-H', 'content-length: 100000', '--data-binary', `@${tarball}`, 'http://stagerd/v1/resources'],
      ],
      { reject: false },
    )
    expect(short.exitCode).not.toBe(0)
    // The client disconnected without waiting for the response.
    await until('what was half received is gone', async () => (await blobs()).join() === before.join())
  })

  it('a dependency that nothing provides fails the staging with exit code 13, and the message names it', async () => {
    const program = await stagerTarball(file('any.tar.gz'), { any: '#!/bin/sh\n' })
    await daemon.addPackage(program, 'any-program', { dependencies: 'os.linux' })
    await daemon.addStager({ name: 'any', package: 'package::/::any-program', start_command: './any' })
    await mkdir(file('app'))
    await writeFile(file('app/index.html'), 'hello')
    const args = ['stage', file('app'), '--pipeline', 'any', '--depends-on', 'runtime.cobol']
    const { exitCode, stdout } = await daemon.stagectl(...args)
    expect(stdout).toContain('nothing provides runtime.cobol')
    expect(exitCode).toBe(13)
  })

  it('a user that does not exist in the root', async () => {
    const program = await stagerTarball(file('who.tar.gz'), { who: '#!/bin/sh\n' })
    await daemon.addPackage(program, 'who-program', { dependencies: 'os.linux' })
    const draft = { name: 'who', package: 'package::/::who-program', start_command: './who', user: 'nobody-knows' }
    await daemon.addStager(draft)
    await daemon.addPackage(await tarballOf(file('w.tar.gz'), { x: 'y' }), 'w', { state: 'uploaded' })
    const { uuid } = await daemon.submit('w', 'who')
    const { failure } = await daemon.ended(uuid)
    expect(failure).toMatchObject({ cause: 'not-runnable', hint: expect.stringContaining('job::/::who') as string })
    expect(failure?.message).toContain('nobody-knows')
  })

  it('a stager whose script has the line ends of Windows: exit code 10, and it is said', async () => {
    const program = await stagerTarball(file('crlf.tar.gz'), { crlf: '#!/bin/sh\r\nexit 0\r\n' })
    await daemon.addPackage(program, 'crlf-program', { dependencies: 'os.linux' })
    await daemon.addStager({ name: 'crlf', package: 'package::/::crlf-program', start_command: './crlf' })
    await mkdir(file('crlf-app'))
    await writeFile(file('crlf-app/index.html'), 'hello')
    const { exitCode, stdout } = await daemon.stagectl('stage', file('crlf-app'), '--pipeline', 'crlf')
    expect(stdout).toMatch(/its program cannot run: the first line of \/app\/crlf ends in CR LF/)
    expect(stdout).toContain('Cause: not-runnable')
    expect(exitCode).toBe(10)
  })
})

describe('a full disk', () => {
  it('rejects an upload that does not fit, keeps existing data, and keeps working', async () => {
    const small = await PrivateDaemon.start()
    await small.stop()
    await runProcess('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', small.stateDirectory])
    try {
      await small.restart()
      await small.addPackage(await tarballOf(small.directory + '/fits.tar.gz', { x: 'y' }), 'fits')
      const noise = await runProcess('openssl', ['rand', '-out', `${small.directory}/noise`, String(40 << 20)])
      expect(noise.stderr).toBe('')
      await runProcess('tar', ['-cf', `${small.directory}/noise.tar`, '-C', small.directory, 'noise'])
      const { exitCode, stderr } = await small.stagectl('package', 'from-file', `${small.directory}/noise.tar`, 'noise')
      expect(exitCode).toBe(1)
      expect(stderr).toMatch(/disk|space/i)
      const kept = await small.ask<Package[]>('GET', '/v1/packages')
      expect(kept.map(({ name }) => name)).toEqual(['fits'])
      await small.addPackage(await tarballOf(small.directory + '/too.tar.gz', { x: 'z' }), 'fits-too')
    } finally {
      await small.stop()
      await runProcess('umount', [small.stateDirectory])
      await small.close()
    }
  })
})
