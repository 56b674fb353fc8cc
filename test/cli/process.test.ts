import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { open, readdir, readFile, symlink } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { aDetection, aPackage, aPipeline, aStaging, ended, line, STAGING_ID } from './support/documents.js'
import { EventStream } from './support/event-stream.js'
import { notFound, type FakeApi } from './support/fake-api.js'
import { compileClient } from './support/compile-client.js'
import { useHarness } from './support/harness.js'
import { makeWorkspace, writeTree } from './support/workspace.js'

// Tests of signals, pipes and memory, which need stagectl in a process of its own.

const harness = useHarness()
let program: Awaited<ReturnType<typeof makeWorkspace>>
beforeAll(async () => {
  program = await makeWorkspace()
  await compileClient(program.root)
}, 60_000)
afterAll(() => program.remove())

class Run {
  readonly child: ChildProcess
  out = ''
  err = ''

  constructor(...argv: string[]) {
    const { api, root } = harness()
    // With -c, a command line of a shell.
    const file = argv[0] === '-c' ? '/bin/sh' : path.join(program.root, 'bin/stagectl')
    this.child = spawn(file, argv, {
      cwd: root,
      env: { ...process.env, STAGERD_SOCKET: api.socket, TMPDIR: root, HOME: root, XDG_CONFIG_HOME: '' },
    })
    this.child.stdout!.on('data', (chunk: Buffer) => (this.out += chunk.toString()))
    this.child.stderr!.on('data', (chunk: Buffer) => (this.err += chunk.toString()))
  }

  async ended(): Promise<number | null> {
    const [code] = (await once(this.child, 'close')) as [number | null]
    return code
  }
}

function stagingFake(api: FakeApi): FakeApi {
  return api
    .on('GET /v1/packages/:ref', () => notFound('package'))
    .on('GET /v1/stagers', () => [])
    .on('POST /v1/detections', () => aDetection())
    .on('GET /v1/stagingpipelines/:ref', () => aPipeline())
    .on('POST /v1/packages', () => aPackage())
    .on('POST /v1/stagings', () => aStaging())
    .on('POST /v1/resources', () => ({ sha256: '', length: 0, compression: 'gzip', entries: 1 }))
    .on('GET /v1/stagings/:uuid/log', (_request, response) => new EventStream(response).end(ended('succeeded')))
}

test('settings are in ~/.config', async () => {
  const { root } = harness()
  expect(await new Run('namespace', '/acme').ended()).toBe(0)
  expect(JSON.parse(await readFile(path.join(root, '.config/stagectl/config.json'), 'utf8'))).toEqual({
    namespace: '/acme',
  })
})

test('SIGINT while following cancels the staging', async () => {
  const { api, root } = harness()
  let stream: EventStream | undefined
  stagingFake(api)
    .on(
      'GET /v1/stagings/:uuid/log',
      (_request, response) => void (stream = new EventStream(response).lines(line(1, 'hi'))),
    )
    .on('POST /v1/stagings/:uuid/cancel', () => {
      stream!.end(ended('cancelled'))
      return aStaging({ state: 'running' })
    })
  const run = new Run('stage', await writeTree(path.join(root, 'app'), { 'index.html': '' }))
  await vi.waitFor(() => expect(run.out).toBe('[staging] hi\n'), { timeout: 10_000 })
  run.child.kill('SIGINT')
  expect(await run.ended()).toBe(14)
  expect(api.requested).toContain(`POST /v1/stagings/${STAGING_ID}/cancel`)
})

test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('%s while uploading leaves no file', async (signal) => {
  const { api, root } = harness()
  stagingFake(api).on('POST /v1/resources', () => undefined)
  const run = new Run('stage', await writeTree(path.join(root, 'app'), { 'index.html': '' }))
  await vi.waitFor(() => expect(api.requested).toContain('POST /v1/resources'), { timeout: 10_000 })
  run.child.kill(signal)
  expect(await run.ended()).toBe(signal === 'SIGKILL' ? null : 14)
  expect((await readdir(root)).sort()).toEqual(['api.sock', 'app'])
})

test('a reader that closes the pipe early is no error', async () => {
  const { api } = harness()
  const lines = Array.from({ length: 20_000 }, (_, index) => line(index + 1, 'x'.repeat(100)))
  api.on('GET /v1/stagings/:uuid/log', (_request, response) => {
    new EventStream(response).lines(...lines).end(ended('succeeded'))
  })
  const run = new Run('staging', 'logs', STAGING_ID)
  await once(run.child.stdout!, 'data')
  run.child.stdout!.destroy()
  expect(await run.ended()).toBe(0)
  expect(run.err).toBe('')
})

describe('in a shell', () => {
  const failing = ended('failed', 'timeout')

  test.each([
    ['standard output is closed', '>&-', 11],
    ['standard error is closed', '2>&-', 11],
    ['standard input is closed', '<&-', 11],
    ['all of them are closed', '<&- >&- 2>&-', 11],
    ['standard output is full', '>/dev/full', 11],
    ['both outputs are full', '>/dev/full 2>&1', 11],
    ['standard output cannot be written', '1</dev/null', 11],
    ['the reader of both ends after a line', '2>&1 | head -1', 11],
    ['the reader ends at once', '| true', 11],
  ])('the exit code is that of the staging when %s', async (_what, redirection, expected) => {
    const { api, root } = harness()
    const lines = Array.from({ length: 2_000 }, (_, index) => line(index + 1, 'x'.repeat(100)))
    stagingFake(api).on('GET /v1/stagings/:uuid/log', (_request, response) => {
      new EventStream(response).lines(...lines).end(failing)
    })
    await writeTree(path.join(root, 'app'), { 'index.html': '' })
    const stagectl = path.join(program.root, 'bin/stagectl')
    const run = new Run('-c', `{ ${stagectl} stage app; echo $? >code; } ${redirection}`)
    await run.ended()
    expect(await readFile(path.join(root, 'code'), 'utf8')).toBe(`${expected}\n`)
    expect(run.out + run.err).not.toMatch(/^ +at |node:|\bE(PIPE|NOSPC|BADF)\b/m)
  })

  test.each([
    ['namespace >/dev/full', 4],
    ['--help >/dev/full', 4],
    ['--help | true', 0],
    ['stge 2>/dev/full', 2],
    ['stge 2>&-', 2],
  ])('stagectl %s ends with %i', async (command, expected) => {
    const { root } = harness()
    const [argv = '', ...reader] = command.split('|')
    const stagectl = path.join(program.root, 'bin/stagectl')
    const run = new Run('-c', ['{', stagectl, argv, '; echo $? >code; }', ...reader.map((one) => `| ${one}`)].join(' '))
    await run.ended()
    expect(await readFile(path.join(root, 'code'), 'utf8')).toBe(`${expected}\n`)
    expect(run.err).not.toMatch(/^ +at |node:/m)
  })

  test('a directory that was deleted is refused in words', async () => {
    const run = new Run(
      '-c',
      `mkdir gone && cd gone && rmdir ../gone && ${path.join(program.root, 'bin/stagectl')} stage .`,
    )
    expect(await run.ended()).toBe(4)
    expect(run.err).toContain('stagectl: The current directory does not exist: change to another one.\n')
  })
})

test('a large source needs no more memory than a small one', async () => {
  const { api, root } = harness()
  stagingFake(api)
  const small = await writeTree(path.join(root, 'small'), { 'index.html': '' })
  const large = await writeTree(path.join(root, 'large'), { 'index.html': '' })
  const block = await open(path.join(large, 'block'), 'w')
  await block.truncate(256 * 1024 * 1024)
  await block.close()
  await symlink('large/block', path.join(root, 'plain.tar'))
  const peaks = new Map<string, number>()
  for (const source of [small, large, 'plain.tar']) {
    const run = new Run('stage', source, '--pipeline', 'static-site')
    const peak = peakOf(run.child)
    expect(await run.ended()).toBe(0)
    peaks.set(source, await peak)
  }
  const allowance = 160 * 1024
  expect(peaks.get(large)! - peaks.get(small)!).toBeLessThan(allowance)
  expect(peaks.get('plain.tar')! - peaks.get(small)!).toBeLessThan(allowance)
}, 60_000)

/** Peak resident memory of the process, in KiB. */
async function peakOf(child: ChildProcess): Promise<number> {
  let peak = 0
  while (child.exitCode === null) {
    const status = await readFile(`/proc/${child.pid!}/status`, 'utf8').catch(() => '')
    peak = Math.max(peak, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return peak
}
