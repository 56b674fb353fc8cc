import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it, onTestFinished } from 'vitest'
import { BadInput } from '../../../base/errors.js'
import { openCoordinator } from '../../support/open-coordinator.js'

/** Most stagers use curl. */
async function curl(...args: string[]): Promise<{ status: number; body: string; stderr: string }> {
  const { stdout, stderr } = await execa('curl', ['-sS', '-w', '\n%{http_code}', ...args])
  const [, body = '', status] = /^(.*)\n(\d+)$/s.exec(stdout) ?? []
  return { status: Number(status), body, stderr }
}

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'coordinator-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  return directory
}

const LARGE = Buffer.alloc(20_000_000, 'stagerd')
const SHA256 = createHash('sha256').update(LARGE).digest('hex')

describe('curl', () => {
  it('downloads to a file', async () => {
    const { url, handler } = await openCoordinator()
    handler.data = LARGE
    const file = join(await scratch(), 'pkg.tar.gz')
    expect((await curl('-o', file, `${url}/data`)).status).toBe(200)
    expect((await readFile(file)).equals(LARGE)).toBe(true)
  })

  it.each([['--data-binary', '@'], ['-T', ''] as const])('uploads with %s', async (option, prefix) => {
    const { url, handler } = await openCoordinator()
    const file = join(await scratch(), 'updated.tar.gz')
    await writeFile(file, LARGE)
    const answer = await curl('-X', 'POST', option, prefix + file, `${url}/data?sha256=${SHA256}`)
    expect(answer).toEqual({ status: 200, body: 'OK', stderr: '' })
    expect(handler.data.equals(LARGE)).toBe(true)
  })

  it('gets 100 Continue when it waits for it', async () => {
    const { url } = await openCoordinator()
    const file = join(await scratch(), 'updated.tar.gz')
    await writeFile(file, LARGE)
    const args = ['-v', '-H', 'Expect: 100-continue', '--expect100-timeout', '60']
    const { stderr, status } = await curl(...args, '--data-binary', `@${file}`, `${url}/data?sha256=${SHA256}`)
    expect(stderr).toContain('< HTTP/1.1 100 Continue')
    expect(status).toBe(200)
  })

  it('reads why a large upload without a checksum is refused', async () => {
    const { url } = await openCoordinator()
    const file = join(await scratch(), 'updated.tar.gz')
    await writeFile(file, LARGE)
    for (const expect100 of ['Expect:', 'Expect: 100-continue'])
      expect(await curl('-H', expect100, '--data-binary', `@${file}`, `${url}/data`)).toMatchObject({
        status: 499,
        body: 'The upload has no checksum: send it to $STAGER_URL/data?sha256=HEX.',
      })
  })

  it('learns that a length is missing when it uploads from a pipe', async () => {
    const { url } = await openCoordinator()
    const { stdout } = await execa('curl', ['-sS', '-X', 'POST', '-T', '-', `${url}/data?sha256=${SHA256}`], {
      input: LARGE.subarray(0, 1000),
    })
    expect(stdout).toBe('You must provide a Content-Length when uploading')
  })

  it('alters metadata with -F, as in the seed’s example', async () => {
    const { url, handler } = await openCoordinator()
    const fields = ['resource=environment', 'action=add', 'key=RAILS_ENV', 'value=production']
    expect(await curl('-X', 'PUT', ...fields.flatMap((field) => ['-F', field]), `${url}/meta`)).toMatchObject({
      status: 200,
      body: 'OK',
    })
    expect(handler.meta.environment).toEqual({ RAILS_ENV: 'production' })
  })

  it.each([
    ['-F', 'snapshot /opt'],
    ['-d', 'snapshot /opt'],
  ])('takes a snapshot of a directory with %s', async (option, call) => {
    const { url, handler } = await openCoordinator()
    expect((await curl(option, 'directory=/opt', `${url}/snapshot`)).status).toBe(200)
    expect(handler.calls).toEqual([call])
  })

  it.each([['-X', 'POST'], ['-d', ''], ['--http1.0', '-X', 'POST'] as const])(
    'posts a verdict with %s %s',
    async (...args) => {
      const { url, handler } = await openCoordinator()
      expect(await curl(...args, `${url}/done`)).toMatchObject({ status: 200, body: 'OK' })
      expect(handler.calls).toEqual(['verdict done'])
    },
  )
})

describe('the stager status-codes.sh', () => {
  it('gets every status code, outside of a container too', async () => {
    const { url, handler } = await openCoordinator()
    handler.before = (call) => {
      if (call === 'replace') throw new BadInput('bad-archive', 'The sha256 is that of no tarball.')
      if (call.startsWith('snapshot')) throw new BadInput('bad-directory', 'That is not a directory.')
    }
    const { stdout } = await execa('test/fixtures/stagers/status-codes.sh', { env: { STAGER_URL: url } })
    const codes = new Set(stdout.split('\n').map((line) => line.slice(0, 4)))
    expect([...codes].sort()).toEqual(['200 ', '445 ', '448 ', '450 ', '451 ', '452 ', '499 '])
    expect(handler.calls.at(-1)).toBe('verdict done')
  })
})

describe('the standard library of Python', () => {
  it('reads why a large upload is refused, although it sends all of it first, with Connection: close', async () => {
    const { url } = await openCoordinator()
    const program = `
import sys, urllib.request, urllib.error
try:
    urllib.request.urlopen(urllib.request.Request(sys.argv[1] + "/data", data=b"x" * 20_000_000, method="POST"))
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
`
    const { stdout } = await execa('python3', ['-c', program, url])
    expect(stdout).toMatch(/^499 The upload has no checksum/)
  })
})
