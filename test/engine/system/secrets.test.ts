import { randomBytes } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Staging } from '../../../daemon/documents/staging.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { launchName } from '../../../isolation/host/ownership.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { CHECKOUT, PrivateDaemon, until } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

const TOKEN = `npm_${randomBytes(18).toString('hex')}`
const LINES = Array.from({ length: 3 }, () => randomBytes(30).toString('base64'))
const KEY = `-----BEGIN KEY-----\n${LINES.join('\n')}\n-----END KEY-----\n`
const OWN = `own_${randomBytes(18).toString('hex')}`
/** What must not be found, in the forms that tools give it. */
const FORMS = [TOKEN, OWN, ...LINES].flatMap((text) => [text, Buffer.from(text).toString('base64').slice(0, -4)])

/** What must be found, so that the search is known to look there. */
const CANARY = `canary-${randomBytes(9).toString('hex')}`

/** Uses its secrets, and prints them in every way that comes to mind. Goes on when somebody makes /tmp/go. */
const STAGE = `#!/bin/sh
cd "$STAGER_SECRETS" || exit 9
echo ${CANARY} > /tmp/canary
stat -c 'found %n %a %U' . *
grep -c . id_rsa
echo "token=$(cat NPM_TOKEN) own=$(cat OWN)" | tee /dev/stderr
cat id_rsa
head -c 9 NPM_TOKEN; sleep 0.2; tail -c +10 NPM_TOKEN; echo
printf %s "me:$(cat NPM_TOKEN)" | base64 | tr -d '\\n'; echo
(echo x > NEW) 2>/dev/null && echo 'can write' || echo 'cannot write'
touch /stager-cache/kept /tmp/made
echo ready
i=0
until [ -e /tmp/go ]; do i=$((i + 1)); [ "$i" -lt 600 ] || exit 8; sleep 0.1; done
wget -q -O /tmp/data.tar.gz "$STAGER_URL/data" && mkdir /tmp/app && tar xzf /tmp/data.tar.gz -C /tmp/app
rm /tmp/data.tar.gz
if [ -e /tmp/app/fail ]; then echo "npm error: bad token $(cat NPM_TOKEN)" >&2; exit 3; fi
wget -q -O - --post-data='' "$STAGER_URL/snapshot" && wget -q -O - --post-data='' "$STAGER_URL/done"
`

let daemon: PrivateDaemon
const file = (name: string) => path.join(daemon.directory, name)

beforeAll(async () => {
  daemon = await PrivateDaemon.start(['--concurrency', '1'])
  await daemon.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  const program = await stagerTarball(file('program.tar.gz'), { stage: STAGE })
  await daemon.addPackage(program, 'program', { dependencies: 'os.linux' })
  const draft = { name: 'secretive', package: 'package::/::program', start_command: './stage' }
  await daemon.addStager({ ...draft, secrets: ['NPM_TOKEN', 'id_rsa'] })
  await tarballOf(file('app.tar.gz'), { 'index.html': 'hello' })
  await tarballOf(file('fails.tar.gz'), { fail: '' })
  const value = Buffer.from(OWN).toString('base64')
  await daemon.ask('PUT', `/v1/stagers/${encodeURIComponent('job::/::secretive')}/secrets/OWN`, { value })
})
afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

/** As a user does: one value from standard input, and one from a file of the user, which is gone when it was read. */
async function stage(archive: string) {
  const directory = await execa('mktemp', ['-d'])
  const key = path.join(directory.stdout, 'key')
  await writeFile(key, KEY)
  const options = ['--pipeline', 'secretive', '--detach', '--secret', `id_rsa=${key}`, '--secret', 'NPM_TOKEN']
  const { stdout, stderr } = await execa(
    path.join(CHECKOUT, 'bin/stagectl'),
    ['stage', file(archive), '--name', archive.replace('.tar.gz', ''), '-e', `CANARY=${CANARY}`, ...options],
    { input: TOKEN, env: { STAGERD_SOCKET: daemon.socket, XDG_CONFIG_HOME: daemon.directory } },
  )
  await execa('rm', ['-r', directory.stdout])
  expect(FORMS.filter((form) => (stdout + stderr).includes(form))).toEqual([])
  return stdout.trim()
}

const containerOf = async (uuid: string) =>
  launchName((await daemon.ask<Staging>('GET', `/v1/stagings/${uuid}`)).launches.at(-1)!.uuid)

/** Waits until the stager of this launch has used its secrets. */
async function untilReady(uuid: string, launches: number): Promise<void> {
  await until('the stager is ready', async () => {
    const lines = (await daemon.text(uuid, { follow: false })).split('\n')
    return lines.filter((line) => line === 'ready').length === launches
  })
}

async function letGo(uuid: string): Promise<Staging> {
  await execa('docker', ['exec', '--user', '0', await containerOf(uuid), 'touch', '/tmp/go'])
  return await daemon.ended(uuid)
}

type Places = Readonly<Record<string, Buffer>>

/** All files of the node, with what compressed ones contain. */
async function filesOfNode(): Promise<Places> {
  const places: Record<string, Buffer> = {}
  // What goes meanwhile is no error.
  const { stdout } = await execa('find', [daemon.directory, '-type', 'f'], { reject: false })
  for (const name of stdout.split('\n')) {
    const content = await readFile(name).catch(() => Buffer.alloc(0))
    places[name] = content
    if (content[0] === 0x1f && content[1] === 0x8b) places[`${name} (inflated)`] = gunzipSync(content)
  }
  return places
}

async function answers(uuid: string): Promise<Places> {
  const { stagers, package_uuid } = await daemon.ask<Staging>('GET', `/v1/stagings/${uuid}`)
  const urls = [
    ...['/v1/stagings', `/v1/stagings/${uuid}`, `/v1/stagings/${uuid}/log?follow=false`, '/metrics', '/v1/node'],
    ...['/v1/packages', `/v1/packages/${package_uuid}`, '/v1/stagers', '/v1/stager-caches'],
    ...stagers.map((fqn) => `/v1/stagers/${encodeURIComponent(fqn)}/secrets`),
  ]
  return Object.fromEntries(
    await Promise.all(urls.map(async (url) => [url, Buffer.from((await daemon.call('GET', url)).text)] as const)),
  )
}

/** What the Engine knows and keeps of the containers of the node, and its own files about them. */
async function dockerOfNode(): Promise<Places> {
  const engine = connectEngine()
  const filters = { label: [`io.stagerd.node=${await daemon.nodeId()}`] }
  const { DockerRootDir } = (await engine.info()) as { DockerRootDir: string }
  const places: Record<string, Buffer> = {}
  for (const { Id } of await engine.listContainers({ all: true, filters })) {
    const ask = async (...args: string[]) => {
      const { stdout, stderr } = await execa('docker', args, { reject: false, encoding: 'buffer' })
      places[`docker ${args.join(' ')}`] = Buffer.concat([stdout, stderr])
    }
    await ask('inspect', Id)
    await ask('logs', Id)
    await ask('diff', Id)
    await ask('cp', `${Id}:/stager-secrets`, '-')
    await ask('export', Id)
    for (const entry of await readdir(path.join(DockerRootDir, 'containers', Id), { withFileTypes: true })) {
      const name = path.join(entry.parentPath, entry.name)
      if (entry.isFile()) places[name] = await readFile(name)
    }
  }
  return places
}

/** Arguments and environments of all processes of the host, but those that begin the test. */
async function processes(): Promise<Places> {
  const places: Record<string, Buffer> = {}
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)))
    for (const what of ['cmdline', 'environ']) {
      // It may have ended.
      const content = await readFile(`/proc/${pid}/${what}`).catch(() => Buffer.alloc(0))
      places[`/proc/${pid}/${what}`] = content
    }
  return places
}

function assertClean(places: Places): void {
  const found = Object.entries(places).flatMap(([place, content]) =>
    FORMS.filter((form) => content.includes(form)).map((form) => `${form} in ${place}`),
  )
  expect(found).toEqual([])
}

function placesOf(places: Places, text: string): string[] {
  return Object.keys(places).filter((place) => places[place]!.includes(text))
}

it('secrets are found nowhere, whatever happens to the node, but by the stagers that take them', async () => {
  // Queued, and killed.
  await daemon.ask('POST', '/v1/node/drain')
  const uuid = await stage('app.tar.gz')
  assertClean({ ...(await filesOfNode()), ...(await answers(uuid)), ...(await processes()) })
  await daemon.kill()
  assertClean(await filesOfNode())
  await daemon.restart()

  // Running, and killed.
  await untilReady(uuid, 1)
  const atWork = {
    ...(await filesOfNode()),
    ...(await answers(uuid)),
    ...(await dockerOfNode()),
    ...(await processes()),
  }
  assertClean(atWork)
  const seen = placesOf(atWork, CANARY)
  for (const place of [/stagerd\.db/, /^\/v1\/packages\//, /^docker export/])
    expect(
      seen.filter((name) => place.test(name)),
      `the search looks at ${String(place)}`,
    ).not.toEqual([])
  const container = await containerOf(uuid)
  const { State } = await connectEngine().getContainer(container).inspect()
  expect(await readFile(`/proc/${State.Pid}/root/stager-secrets/NPM_TOKEN`, 'utf8')).toBe(TOKEN)
  expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain('stager-secrets')
  await daemon.kill()
  assertClean({ ...(await filesOfNode()), ...(await dockerOfNode()), ...(await processes()) })
  await daemon.restart()

  // Continued, and done.
  await untilReady(uuid, 2)
  const { state, secrets } = await letGo(uuid)
  const log = await daemon.text(uuid)
  expect([state, secrets], log).toEqual(['succeeded', ['id_rsa', 'NPM_TOKEN']])
  const places = {
    ...(await filesOfNode()),
    ...(await answers(uuid)),
    ...(await dockerOfNode()),
    ...(await processes()),
  }
  assertClean(places)
  expect(log.match(/token=\*\*\* own=\*\*\*/g)).toHaveLength(4)
  expect(log).toContain('found . 500 runner\nfound NPM_TOKEN 400 runner\nfound OWN 400 runner\nfound id_rsa 400 runner')
  expect(log).toContain('cannot write')
  // The key, the token in two pieces, and the token in base64.
  const printed = (await daemon.lines(uuid)).filter(({ stream }) => stream === 'stdout').map(({ text }) => text)
  expect(printed.join('\n')).toMatch(/\n\*{3}\n\*{3}\nbWU6\*{3}/)

  // The package has what the stager has made, and nothing of where its secrets were.
  const data = await daemon.download(`/v1/packages/${encodeURIComponent('package::/::app')}`)
  const names = (await execa('tar', ['-tzf', '-'], { input: data })).stdout.split('\n')
  expect(names).toContain('tmp/made')
  expect(names.filter((name) => name.includes('secret'))).toEqual([])
  expect(gunzipSync(data).includes(TOKEN)).toBe(false)

  expect((await daemon.stagectl('staging', 'retry', uuid)).stderr).toContain('were deleted at its end')
})

it('secrets of a staging that fails are found nowhere, nor in its explanation', async () => {
  const uuid = await stage('fails.tar.gz')
  await untilReady(uuid, 1)
  const { state, failure } = await letGo(uuid)
  expect([state, failure?.cause]).toEqual(['failed', 'no-verdict'])
  assertClean({ ...(await filesOfNode()), ...(await answers(uuid)), ...(await dockerOfNode()), ...(await processes()) })
  expect(await daemon.text(uuid)).toContain('npm error: bad token ***')
})

it('a backup has no secrets, nor their key', async () => {
  const backup = file('node.tar')
  const { exitCode, stderr } = await daemon.stagectl('node', 'backup', backup)
  expect(exitCode, stderr).toBe(0)
  expect((await stat(backup)).size).toBeGreaterThan(0)
  const content = { backup: await readFile(backup) }
  assertClean(content)
  const key = await readFile(path.join(daemon.stateDirectory, 'secrets.key'))
  expect(content.backup.includes(key)).toBe(false)
  expect((await execa('tar', ['-tf', backup])).stdout).not.toContain('secrets.key')
})
