import { once } from 'node:events'
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import Database from 'better-sqlite3'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runProcess } from '../../base/run-process.js'
import type { Staging } from '../../daemon/documents/staging.js'
import { MIGRATIONS } from '../../daemon/store/sqlite/migrations.js'
import { leftovers } from '../engine/support/leftovers.js'
import { ON_DISK } from '../engine/support/on-disk.js'
import { until } from '../engine/support/private-daemon.js'
import { recipeTarball } from '../engine/support/tarballs.js'
import { stagectl, systemctl } from './support/installation.js'
import { apt, buildPackage, buildPackageOf, commitBeforeLastMigration, EARLIER, installedVersion, withVersion } from './support/packages.js' // prettier-ignore

/** It compiles a library, and builds two packages. */
const MINUTES = 60_000
const STATE = '/var/lib/stagerd'
const SETTINGS = '/etc/stagerd/stagerd.toml'
/** Of the settings: a running staging that does not end by itself is interrupted after this. */
const DRAIN_SECONDS = 20

/**
 * It takes its orders from its source. In what is kept for it, it counts its launches that come to a verdict: stagerd has no
 * part in that file.
 */
const STAGER = `#!/bin/sh
set -e
cd /tmp
wget -q -O - "$STAGER_URL/data" | tar -xz
cat name >>"$STAGER_CACHE/launches"
. ./act
wget -q -O - --post-data='' "$STAGER_URL/done"
`
const AT_ONCE = 'echo at once'
const WHEN_RELEASED = 'echo waiting; until [ -e /tmp/go ]; do sleep 0.2; done'

const commit = await commitBeforeLastMigration()
const BEFORE = commit === undefined ? 'the same files, for want of older commits' : `commit ${commit.slice(0, 7)}`

let directory: string
const packages = { before: '', after: '' }

beforeAll(async () => {
  directory = await mkdtemp(path.join(ON_DISK, 'stagerd-upgrade-'))
  const [before, after] = [path.join(directory, 'before'), path.join(directory, 'after')]
  await mkdir(before)
  packages.after = await buildPackage(after)
  if (commit === undefined) {
    packages.before = path.join(before, 'stagerd.deb')
    await withVersion(EARLIER, packages.after, packages.before)
  } else packages.before = await buildPackageOf(commit, before)
}, 20 * MINUTES)

afterAll(async () => {
  await apt('purge', 'stagerd')
  await rm(directory, { recursive: true })
})

/** As an administrator whose answers apt knows: settings that were changed stay. */
const installPackage = (file: string) =>
  apt('install', '--no-install-recommends', '--option=Dpkg::Options::=--force-confold', file)

/** Of the database. */
function version(): number {
  const database = new Database(path.join(STATE, 'stagerd.db'), { readonly: true })
  try {
    return database.pragma('user_version', { simple: true }) as number
  } finally {
    database.close()
  }
}

/** Makes the pipeline `orders`. */
async function furnish(): Promise<void> {
  await stagectl('package', 'from-file', await recipeTarball('busybox'), 'busybox', '--provides', 'os.busybox')
  const program = path.join(directory, 'program')
  await mkdir(program)
  await writeFile(path.join(program, 'stage'), STAGER, { mode: 0o755 })
  const more = ['--start-command', './stage', '--depends-on', 'os.busybox', '--pipeline']
  await stagectl('stager', 'create', 'orders', '--path', program, ...more)
}

/** @returns the ID of the staging, which has been acknowledged */
async function submit(name: string, act: string): Promise<string> {
  const source = path.join(directory, 'sources', name)
  await mkdir(source, { recursive: true })
  await writeFile(path.join(source, 'name'), `${name}\n`)
  await writeFile(path.join(source, 'act'), act)
  const { stdout } = await stagectl('stage', source, '--pipeline', 'orders', '--no-reuse', '--detach')
  return stdout.split('\n').at(-1) ?? ''
}

const stagingOf = async (id: string) => JSON.parse((await stagectl('staging', 'show', id, '--json')).stdout) as Staging
const stagings = async () => JSON.parse((await stagectl('staging', 'list', '--json')).stdout) as readonly Staging[]
const lastLaunch = async (id: string) => (await stagingOf(id)).launches.at(-1)?.uuid ?? ''

/** What the Engine says of the ends of containers, whoever asks it: by the launch that is their label. */
async function watchContainers() {
  const exits = new Map<string, string>()
  const watch = execa('docker', ['events', '--filter=type=container', '--filter=event=die', '--format={{json .}}'], {
    reject: false,
  })
  void (async () => {
    for await (const line of watch) {
      const { Actor } = JSON.parse(line) as { Actor: { Attributes: Record<string, string> } }
      const launch = Actor.Attributes['io.stagerd.launch']
      if (launch !== undefined) exits.set(launch, Actor.Attributes.exitCode ?? '')
    }
  })()
  await once(watch, 'spawn')
  return { exits, close: () => watch.kill() }
}

/** Lets the stager of this launch go on, by its Engine. */
async function release(launch: string): Promise<void> {
  const { stdout } = await runProcess('docker', ['ps', '--quiet', `--filter=label=io.stagerd.launch=${launch}`])
  await runProcess('docker', ['exec', stdout.trim(), 'touch', '/tmp/go'])
}

/** What the stagers have counted: the name of the package, once for each launch that came to a verdict. */
async function countedByStagers(): Promise<readonly string[]> {
  const { stdout } = await runProcess('find', [`${STATE}/caches`, '-name', 'launches', '-type', 'f'])
  const files = stdout.split('\n').filter((file) => file !== '')
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')))
  return texts
    .flatMap((text) => text.split('\n'))
    .filter((name) => name !== '')
    .sort()
}

it(
  `from ${BEFORE}, with two stagings running and ten queued: none is lost, none is done twice`,
  async () => {
    await installPackage(packages.before)
    expect(await installedVersion()).toBe(EARLIER)
    await appendFile(SETTINGS, `\nconcurrency = 2\ndrain-timeout = "${DRAIN_SECONDS}s"\n`)
    await systemctl('restart', 'stagerd')
    const versionBefore = version()
    await furnish()
    const engine = await watchContainers()

    const [drained, interrupted] = [await submit('drained', WHEN_RELEASED), await submit('interrupted', WHEN_RELEASED)]
    for (const id of [drained, interrupted])
      await until('its stager works', async () => (await stagectl('staging', 'logs', id)).stdout.includes('waiting'))
    const queued: string[] = []
    for (let i = 0; i < 10; i++) queued.push(await submit(`queued-${i}`, AT_ONCE))
    for (const id of queued) expect((await stagingOf(id)).state).toBe('queued')

    const upgrade = installPackage(packages.after)
    await until('stagerd stops', async () => (await systemctl('show', '--property=ActiveState', 'stagerd')).stdout.endsWith('deactivating')) // prettier-ignore
    // The old daemon, which drains, still acknowledges, and lets one staging end.
    queued.push(await submit('submitted-while-draining', AT_ONCE))
    const launch = await lastLaunch(drained)
    await release(launch)
    await until('it has ended', () => engine.exits.has(launch))
    await upgrade

    expect(await installedVersion()).not.toBe(EARLIER)
    if (commit !== undefined) expect(versionBefore).toBeLessThan(MIGRATIONS.length)
    await until('stagerd is ready', async () => (await stagectl('node', 'status').catch(() => undefined)) !== undefined)
    expect(version()).toBe(MIGRATIONS.length)
    await until('the interrupted one runs again', async () => (await stagingOf(interrupted)).launches.length === 2)
    const again = await lastLaunch(interrupted)
    await until('its container runs', () => release(again).then(() => true, () => false)) // prettier-ignore

    const all = [drained, interrupted, ...queued]
    await until('all have ended', async () =>
      (await stagings()).every(({ state }) => state !== 'queued' && state !== 'running'),
    )
    // No other was made either.
    expect((await stagings()).map(({ uuid }) => uuid).sort()).toEqual([...all].sort())
    const ended = await Promise.all(all.map(stagingOf))
    expect(ended.map(({ state, failure }) => ({ state, failure }))).toEqual(
      all.map(() => ({ state: 'succeeded', failure: undefined })),
    )
    expect(ended.map(({ launches }) => launches.map(({ state }) => state))).toEqual([
      ['done'],
      ['aborted', 'done'],
      ...queued.map(() => ['done']),
    ])
    expect(await countedByStagers()).toEqual(ended.map((one) => one.package.split('::').at(-1)).sort())
    // Containers that were created ahead end with the daemon.
    await systemctl('stop', 'stagerd')
    expect(await leftovers(node)).toEqual([])
    engine.close()
    // By the Engine: the others were interrupted, or created ahead and never used, and ended by a signal.
    expect([...engine.exits].filter(([, code]) => code === '0').map(([uuid]) => uuid).sort()).toEqual(ended.map(({ launches }) => launches.at(-1)?.uuid).sort()) // prettier-ignore
  },
  30 * MINUTES,
)

/** The installed node. */
const node = {
  nodeId: async () => (await readFile(path.join(STATE, 'node-id'), 'utf8')).trim(),
  stateDirectory: STATE,
}
