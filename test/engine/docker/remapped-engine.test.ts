import { createGunzip } from 'node:zlib'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { extract } from 'tar-stream'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { LayerSource } from '../../../isolation/launch-plan.js'
import { launch, planOf, Recorder, type WholePlan } from '../../contract/isolation-under-test.js'
import { collect } from '../../support/collect.js'
import { tarOf } from '../../support/tar-builder.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'
import { PrivateEngine } from '../support/private-engine.js'
import { smallImage } from '../support/small-image.js'

/** Two ranges: the Engine's API tells only the beginning of the first. */
const RANGES = ['300000:1000', '500000:64536'] as const

/** Owners in both ranges, a set-user-ID program, and a link. */
const OWNED = tarOf(
  { name: 'own/', type: '5', uid: 7, gid: 8 },
  { name: 'own/su', mode: 0o4755, data: 'su' },
  { name: 'own/user', mode: 0o640, uid: 1500, gid: 42, data: 'user\n' },
  { name: 'own/link', type: '2', linkName: 'user', uid: 65_534, gid: 65_534 },
)
const OWNED_LINES = ['7:8 755 own', '0:0 4755 own/su', '1500:42 640 own/user', '65534:65534 777 own/link']
const LIST_OWNED = "stat -c '%u:%g %a %n' own own/su own/user own/link"

describe('an Engine with userns-remap', () => {
  let engine: PrivateEngine
  let under: DockerIsolationUnderTest
  let owned: LayerSource
  beforeAll(async () => {
    engine = await PrivateEngine.start('overlay2', RANGES)
    under = await dockerIsolation(new Map([['/etc/ssl/extra.pem', 'PEM\n']]), engine)
    owned = under.resources.add('owned', OWNED)
  })
  afterAll(async () => {
    await under.close()
    await engine.close()
  })

  const plan = (shell: string, change: Partial<WholePlan> = {}): WholePlan => ({
    ...planOf(under, { shell, fake: () => Promise.resolve() }),
    user: 'root',
    stagerfs: [...under.root, owned],
    ...change,
  })
  const linesOf = async (shell: string, change: Partial<WholePlan> = {}) => {
    const recorder = new Recorder()
    const { running, release } = await launch(under.isolation, plan(shell, change), recorder)
    await running.ended
    expect(await release()).toEqual({ failures: [] })
    expect(await under.traces()).toEqual([])
    return (recorder.stdout + recorder.stderr).trim().split('\n')
  }

  it('has its map learnt from the first container, which does not start its program', async () => {
    await expect(linesOf('true')).rejects.toMatchObject({ code: 'engine-changed' })
    expect(await under.traces()).toEqual([])
    expect(await linesOf('tr -s " " < /proc/self/uid_map')).toEqual(['0 300000 1000', ' 1000 500000 64536'])
  })

  it('is told by the doctor, with its ids', async () => {
    const findings = await under.isolation.examine()
    expect(findings.find(({ subject }) => subject === 'user namespace')).toMatchObject({
      verdict: 'good',
      message: expect.stringContaining('user 0 of containers is 300000 on the host') as string,
    })
    expect(findings.find(({ subject }) => subject === 'user namespace')?.message).toContain('0 to 65535')
  })

  it('shows packages in the root and in /stagerfs with the owners of their archives', async () => {
    const root = [...under.root, owned]
    const lines = await linesOf(`cd /; ${LIST_OWNED}; cd /stagerfs; ${LIST_OWNED}`, { root })
    expect(lines).toEqual([...OWNED_LINES, ...OWNED_LINES])
  })

  it('has a /stagerfs that belongs to its root, is writable, and is ready for chroot', async () => {
    const names = ['', '/tmp', '/etc', '/etc/resolv.conf', '/etc/ssl', '/etc/ssl/extra.pem'].map(
      (name) => `/stagerfs${name}`,
    )
    const shell = `stat -c '%u:%g' ${names.join(' ')} | sort -u; cat /stagerfs/etc/ssl/extra.pem
      rm /stagerfs/own/link; echo changed > /stagerfs/own/user; chown 1500 /stagerfs/own
      stat -c '%u:%g %a %n' /stagerfs/own/user
      chroot /stagerfs /bin/sh -c 'cat /proc/self/comm; echo x > /dev/null && echo device'`
    expect(await linesOf(shell)).toEqual(['0:0', 'PEM', '1500:42 640 /stagerfs/own/user', 'cat', 'device'])
  })

  it.each(['root', 'runner'])('gives secrets to %s, as files of this user', async (user) => {
    const secrets = new Map([['TOKEN', Buffer.from('s3cret')]])
    const shell = 'stat -c "%U %a %n" /stager-secrets /stager-secrets/TOKEN; cat /stager-secrets/TOKEN'
    expect(await linesOf(shell, { user, secrets })).toEqual([
      `${user} 500 /stager-secrets`,
      `${user} 400 /stager-secrets/TOKEN`,
      's3cret',
    ])
  })

  it('has snapshots with the owners that the stager gave, which the next stager and a run see', async () => {
    const recorder = new Recorder()
    const shell = `set -e; mkdir /own/new; echo a > /own/new/a; echo b > /own/new/b; chown 1500:42 /own/new/b
      chown 99:99 /own/new; cp /bin/busybox /own/su; chmod 4755 /own/su; chown -h 65535:7 /own/link
      ln -s a /own/new/link; ln /own/new/a /own/new/hard; rm -r /tmp; mkdir /tmp; rm /own/user; echo ready; sleep 60`
    const root = [...under.root, owned]
    const { running, release } = await launch(under.isolation, plan(shell, { root }), recorder)
    await vi.waitFor(() => expect(recorder.stdout).toBe('ready\n'), 60_000)
    const { written, removals } = await running.snapshot({}, collect)
    expect(await release()).toEqual({ failures: [] })
    expect(removals).toEqual(
      expect.arrayContaining([
        { kind: 'removed', path: 'own/user' },
        { kind: 'opaque', path: 'tmp' },
      ]),
    )
    expect(await ownersIn(written)).toEqual({
      'own/': '7:8',
      'own/link': '65535:7',
      'own/new/': '99:99',
      'own/new/a': '0:0',
      'own/new/b': '1500:42',
      'own/new/hard': '0:0',
      'own/new/link': '0:0',
      'own/su': '0:0',
      'tmp/': '0:0',
    })

    const next = { root: [...root, { ...under.resources.add('next', written), removals }] }
    const list = "cd /own; stat -c '%u:%g %a %n' . su link new new/a new/b new/link; ls"
    const expected = [
      ...['7:8 755 .', '0:0 4755 su', '65535:7 777 link', '99:99 755 new', '0:0 644 new/a', '1500:42 644 new/b'],
      ...['0:0 777 new/link', 'link', 'new', 'su'],
    ]
    expect(await linesOf(list, next)).toEqual(expected)
    expect(await linesOf(list, { ...next, shims: false, stagerfs: undefined })).toEqual(expected)
  })

  it('gives filled-in templates the owners and permissions of their originals', async () => {
    const recorder = new Recorder()
    const templates = ['/own/user', '/own/su'].map((path) => ({
      paths: [path],
      fillIn: (_: string, content: Buffer) => Buffer.from(`filled in: ${content.toString()}`),
    }))
    const root = [...under.root, owned]
    const shell = `cd /; ${LIST_OWNED}; cat own/user; su -s /bin/sh runner -c 'echo for runner; cat own/user'`
    const run = plan(shell, { root, shims: false, stagerfs: undefined })
    const { running, release } = await launch(under.isolation, run, Object.assign(recorder, { templates }))
    await running.ended
    expect(await release()).toEqual({ failures: [] })
    expect(recorder.stdout.trim().split('\n')).toEqual([...OWNED_LINES, 'filled in: user', 'for runner'])
    expect(await under.traces()).toEqual([])
  })

  it('measures what the container writes, in its root and in /stagerfs', async () => {
    const recorder = new Recorder()
    const shell = 'dd if=/dev/zero of=/stagerfs/own/big bs=1M count=64; sleep 60'
    const limited = plan(shell)
    const limits = { ...limited.limits, diskBytes: 8 * 2 ** 20 }
    const { running, release } = await launch(under.isolation, { ...limited, limits }, recorder)
    expect(await running.ended).toMatchObject({ kind: 'disk-full' })
    expect(await release()).toEqual({ failures: [] })
  })

  it('refuses a package with an owner that it cannot map, and leaves nothing behind', async () => {
    const tall = under.resources.add('tall', tarOf({ name: 'opt/tall', uid: 65_536 }))
    const refusal = { code: 'owner-not-mapped' }
    await expect(linesOf('true', { root: [...under.root, tall] })).rejects.toMatchObject(refusal)
    await expect(linesOf('true', { stagerfs: [tall] })).rejects.toMatchObject(refusal)
    await expect(under.isolation.materialise(tall, new AbortController().signal)).rejects.toThrow(
      'Entry "opt/tall" is refused: its owner 65536 is not among the ids 0 to 65535',
    )
    expect(await under.traces()).toEqual([])
  })

  it('exports an image with the owners that its containers see', async () => {
    const reference = await smallImage(OWNED, under.nodeId, [], engine.engine)
    const image = { id: randomUUID(), reference, leaveOut: [] }
    const never = new AbortController().signal
    const archive = await under.isolation.readImage(image, {}, ({ archive }) => collect(archive), never)
    expect(await ownersIn(archive)).toMatchObject({ 'own/user': '1500:42', 'own/link': '65534:65534', 'own/su': '0:0' })
  })

  it('has its layers beside those of an Engine that maps no owners', async () => {
    const layers = async (isolation = under.isolation) =>
      (await isolation.caches([owned])).filter(({ kind, inUse }) => kind === 'layer' && inUse)
    const [ofThis] = await layers()
    const unmapped = await dockerIsolation()
    try {
      unmapped.resources.add('owned', OWNED)
      await unmapped.isolation.materialise(owned, new AbortController().signal)
      const [ofOther] = await layers(unmapped.isolation)
      expect(ofOther?.id).not.toBe(ofThis?.id)
      expect(await readFile(join(under.stateDirectory, 'layers', ofThis!.id, 'tree/own/user'), 'utf8')).toBe('user\n')
    } finally {
      await unmapped.close()
    }
  })
})

/** `UID:GID` of each entry of a gzipped tar. */
async function ownersIn(archive: Buffer): Promise<Record<string, string>> {
  const owners: Record<string, string> = {}
  for await (const entry of Readable.from([archive]).pipe(createGunzip()).pipe(extract())) {
    const { name, uid, gid } = entry.header
    owners[name] = `${uid}:${gid}`
    entry.resume()
  }
  return owners
}
