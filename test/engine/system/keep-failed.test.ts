import { readFile, readlink } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { NodeStatus } from '../../../daemon/documents/node.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { launchName } from '../../../isolation/host/ownership.js'
import { expectNothingLeft, leftovers, removeImages } from '../support/leftovers.js'
import { CHECKOUT, PrivateDaemon, until } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

const FAILS = `#!/bin/sh
cd /tmp && wget -q -O data.tar.gz "$STAGER_URL/data" && echo because > why
sleep 1000 &
wget -q -O - --post-data= "$STAGER_URL/failed"
exit 3
`

let daemon: PrivateDaemon
beforeAll(async () => {
  daemon = await PrivateDaemon.start(['--max-kept', '2'])
  const file = (name: string) => path.join(daemon.directory, name)
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  const program = await stagerTarball(file('fails.tar.gz'), { stage: FAILS })
  await daemon.addPackage(program, 'fails', { dependencies: 'os.linux', environment: { GREETING: 'hello' } })
  await daemon.addStager({ name: 'fails', package: 'package::/::fails', start_command: './stage' })
  await tarballOf(file('app.tar.gz'), { 'index.html': 'hello' })
})
afterEach(async () => {
  await until('nothing is left', async () => (await leftovers(daemon)).length === 0)
})
afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

/** Stages the application, and returns the staging that has failed, with what stagectl has printed. */
async function stage(duration: string) {
  const app = path.join(daemon.directory, 'app.tar.gz')
  const { exitCode, stdout } = await daemon.stagectl('stage', app, '--pipeline', 'fails', '--keep-failed', duration)
  expect(exitCode).toBe(10)
  const [staging] = await daemon.ask<Staging[]>('GET', '/v1/stagings?limit=1')
  return { stdout, uuid: staging!.uuid }
}

async function shellsOf(uuid: string): Promise<number | undefined> {
  return (await daemon.ask<Staging>('GET', `/v1/stagings/${uuid}`)).kept?.shells
}

async function containerOf(uuid: string) {
  const { launches } = await daemon.ask<Staging>('GET', `/v1/stagings/${uuid}`)
  return connectEngine().getContainer(launchName(launches.at(-1)!.uuid))
}

/** The terminal that `script` has made for its child. */
async function terminalOf(script: number): Promise<string> {
  const children = await readFile(`/proc/${script}/task/${script}/children`, 'utf8')
  return await readlink(`/proc/${children.trim().split(' ')[0]}/fd/0`)
}

const shell = (uuid: string, input: string) =>
  execa(path.join(CHECKOUT, 'bin/stagectl'), ['staging', 'shell', uuid], {
    reject: false,
    input,
    env: { STAGERD_SOCKET: daemon.socket },
  })

it('a stager that fails is kept for shells, which see all that it has left, until it is released', async () => {
  const { stdout, uuid } = await stage('15m')
  expect(stdout).toContain(`stagectl staging shell ${uuid}`)

  const piped = await shell(uuid, 'cat /tmp/why; id -un; pwd; echo $GREETING; ls /tmp; ps; exit 7')
  expect(piped.exitCode).toBe(7)
  expect(piped.stdout).toMatch(/^because\nrunner\n\/app\nhello\ndata.tar.gz\nwhy\n/)
  expect(piped.stdout).toContain('sleep 1000')

  const command = await daemon.stagectl(
    'staging',
    'shell',
    uuid.slice(0, 8),
    '--',
    'sh',
    '-c',
    'echo one two >&2; exit 9',
  )
  expect([command.exitCode, command.stderr]).toEqual([9, 'one two'])
  // Nobody answers at the address of the coordinator but the daemon, which refuses.
  const refused = await shell(uuid, 'wget -q -O - "$STAGER_URL/data"; echo $?')
  expect(refused.stdout).toBe('1')
  expect(refused.stderr).toContain('452')

  const { kept } = await daemon.ask<NodeStatus>('GET', '/v1/node')
  expect(kept).toMatchObject([{ staging: uuid, package: 'package::/::app', stager: 'job::/::fails', shells: 0 }])
  expect(kept[0]!.used_bytes).toBeGreaterThan(0)
  expect((await daemon.stagectl('node', 'status')).stdout).toMatch(/Kept containers:\nSTAGING.*\n.*job::\/::fails/)
  expect((await daemon.stagectl('staging', 'show', uuid)).stdout).toContain(`stagectl staging shell ${uuid}`)
  // The queue goes on, and the package is as it was.
  expect((await daemon.ask<Staging>('GET', `/v1/stagings/${uuid}`)).failure?.cause).toBe('stager-failed')

  expect((await daemon.stagectl('staging', 'release', uuid)).exitCode).toBe(0)
  await expectNothingLeft(daemon)
  const gone = await shell(uuid, 'exit 0')
  expect([gone.exitCode, gone.stderr]).toEqual([4, expect.stringContaining('--keep-failed')])
})

it('a shell on a terminal has its size and its keys, and passes its exit code on', async () => {
  const { uuid } = await stage('15m')
  const command = `stty rows 33 cols 91; ${path.join(CHECKOUT, 'bin/stagectl')} staging shell ${uuid}; echo "code=$?"; stty -a`
  const terminal = execa('script', ['-qec', command, '/dev/null'], {
    reject: false,
    stdin: 'pipe',
    env: { STAGERD_SOCKET: daemon.socket, TERM: 'xterm' },
  })
  let seen = ''
  terminal.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()))
  const sees = (text: RegExp) => expect.poll(() => seen, { timeout: 20_000 }).toMatch(text)
  await sees(/\$ /)
  terminal.stdin.write('stty size; echo $TERM\r')
  await sees(/33 91\s+xterm/)
  await execa('stty', ['-F', await terminalOf(terminal.pid!), 'rows', '20', 'cols', '40'])
  terminal.stdin.write('until [ "$(stty size)" = "20 40" ]; do sleep 0.1; done; echo re${NOTHING}sized\r')
  await sees(/resized/)
  terminal.stdin.write('sleep 600\r')
  await sees(/sleep 600\s/)
  terminal.stdin.write('\x03')
  await sees(/\^C/)
  terminal.stdin.write('exit 5\r')
  await sees(/code=5/)
  // The modes of the terminal are those from before.
  await sees(/ icanon .* echo /s)
  terminal.stdin.end()
  await terminal
  await daemon.stagectl('staging', 'release', uuid)
})

it('a shell whose client is killed ends, with what runs in it, and the container is frozen again', async () => {
  const { uuid } = await stage('15m')
  const client = execa(path.join(CHECKOUT, 'bin/stagectl'), ['staging', 'shell', uuid, '--', 'sleep', '600'], {
    reject: false,
    stdin: 'pipe',
    env: { STAGERD_SOCKET: daemon.socket },
  })
  await until('the shell is open', async () => (await shellsOf(uuid)) === 1)
  client.kill('SIGKILL')
  await client
  await until('the shell has ended', async () => (await shellsOf(uuid)) === 0)
  const container = await containerOf(uuid)
  await until('the container is frozen', async () => (await container.inspect()).State.Paused)
  expect((await shell(uuid, 'ps')).stdout).not.toContain('sleep 600')
  await daemon.stagectl('staging', 'release', uuid)
})

it('a staging of the same package is not held up by the kept one, and is reused and staged again as without it', async () => {
  const { uuid } = await stage('15m')
  const retried = await daemon.stagectl('staging', 'retry', uuid, '--keep-failed', '15m', '--no-reuse')
  expect(retried.exitCode).toBe(10)
  const [again] = await daemon.ask<Staging[]>('GET', '/v1/stagings?limit=1')
  const { kept } = await daemon.ask<NodeStatus>('GET', '/v1/node')
  expect(kept.map(({ staging }) => staging)).toEqual([uuid, again!.uuid])
  for (const { staging } of kept) await daemon.stagectl('staging', 'release', staging)
})

it('a kept container ends with its time, and its shells are told', async () => {
  const { uuid } = await stage('8s')
  const { exitCode, stderr } = await daemon.stagectl('staging', 'shell', uuid, '--', 'sleep', '60')
  expect([exitCode, stderr]).toEqual([14, 'The kept container was released after 8s.'])
})

it('a kept container ends with the daemon, also when that is killed', async () => {
  await stage('15m')
  await daemon.stop()
  await expectNothingLeft(daemon)
  await daemon.restart()
  const { uuid } = await stage('15m')
  const open = daemon.stagectl('staging', 'shell', uuid, '--', 'sleep', '60')
  await until('the shell is open', async () => {
    const { kept } = await daemon.ask<NodeStatus>('GET', '/v1/node')
    return kept[0]?.shells === 1
  })
  await daemon.kill()
  expect((await open).exitCode).toBe(3)
  await daemon.restart()
  await until('the container is swept', async () => (await leftovers(daemon)).length === 0)
  expect((await daemon.ask<NodeStatus>('GET', '/v1/node')).kept).toEqual([])
})
