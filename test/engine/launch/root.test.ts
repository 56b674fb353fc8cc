import { readFile } from 'node:fs/promises'
import { finished } from 'node:stream/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { launchName } from '../../../isolation/host/ownership.js'
import { filesOf, launch, planOf, Recorder, type WholePlan } from '../../contract/isolation-under-test.js'
import { tarball } from '../support/busybox-root.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'
import { isFrozenByKernel } from '../support/freezer-group.js'
import { groundTruth } from '../support/ground-truth.js'
import { smallImage } from '../support/small-image.js'
import { tarOf } from '../../support/tar-builder.js'

const idle = { shell: 'sleep 60', fake: () => Promise.resolve() }

describe('the root of a launch', () => {
  let under: DockerIsolationUnderTest
  beforeAll(async () => {
    under = await dockerIsolation()
  })
  afterEach(() => under.expectNothingLeft())
  afterAll(() => under.close())

  const launched = async (shell: string, change: Partial<WholePlan> = {}) => {
    const recorder = new Recorder()
    const plan = {
      ...planOf(under, { shell: `${shell}; echo ready; sleep 60`, fake: () => Promise.resolve() }),
      ...change,
    }
    return { ...(await launch(under.isolation, plan, recorder)), recorder, plan }
  }
  const snapshotAfter = async (shell: string, change: Partial<WholePlan> = {}) => {
    const { running, release, recorder } = await launched(shell, change)
    try {
      await vi.waitFor(() => expect(recorder.stdout).toContain('ready\n'), 60_000)
      return await running.snapshot({}, filesOf)
    } finally {
      await release()
    }
  }

  it('has no changes before the program makes any: files that Docker injects do not show', async () => {
    const { written, removals, entries } = await snapshotAfter('true')
    expect({ written, removals, entries }).toEqual({ written: {}, removals: [], entries: 0 })
  })

  it('shows added, changed and removed files over several packages', async () => {
    const app = under.resources.add(
      'app',
      await tarball({ 'app/': '', 'app/a': 'a\n', 'app/b': 'b\n', 'app/old/': '', 'app/old/x': 'x\n' }),
    )
    const { written, removals } = await snapshotAfter('cd /app; echo b2 > b; echo c > c; rm a; rm -r old', {
      root: [...under.root, app],
      user: 'root',
    })
    expect(written).toEqual({ 'app/b': 'b2\n', 'app/c': 'c\n' })
    expect(removals).toEqual([
      { kind: 'removed', path: 'app/a' },
      { kind: 'removed', path: 'app/old' },
    ])
  })

  it('cannot exceed its limit with open deleted files', async () => {
    const shell = 'for fd in 4 5 6 7; do eval "exec $fd>/tmp/$fd"; rm /tmp/$fd; head -c 7340032 /dev/zero >&$fd; done'
    const { running, release } = await launched(shell, {
      limits: { ...planOf(under, idle).limits, diskBytes: 8 * 2 ** 20 },
    })
    expect(await running.ended).toMatchObject({ kind: 'disk-full' })
    await release()
  })

  it('is frozen while it is read, and continues while the data is stored; the hooks report both', async () => {
    // More than the pipes hold, so that reading cannot finish before the data is consumed.
    const { running, release, recorder, plan } = await launched(
      'head -c 32000000 /dev/urandom >/tmp/much; { i=0; while :; do i=$((i+1)); echo $i >/tmp/count; done & }',
    )
    await vi.waitFor(() => expect(recorder.stdout).toContain('ready\n'), 60_000)
    const { State } = await connectEngine().getContainer(launchName(plan.id)).inspect()
    const count = async () => Number(await readFile(`/proc/${State.Pid}/root/tmp/count`, 'utf8'))
    const isFrozen = () => recorder.freezes.at(-1) === 'freeze'
    await running.snapshot({}, async (archive) => {
      expect(isFrozenByKernel(State.Pid)).toBe(true)
      expect(isFrozen()).toBe(true)
      const frozen = await count()
      archive.resume()
      await finished(archive)
      await vi.waitFor(async () => expect(await count()).toBeGreaterThan(frozen), 60_000)
      await vi.waitFor(() => expect(isFrozen()).toBe(false), 60_000)
      expect(isFrozenByKernel(State.Pid)).toBe(false)
    })
    await release()
  })

  it('can be read after the program has ended', async () => {
    const recorder = new Recorder()
    const plan = planOf(under, { shell: 'echo late > /tmp/late', fake: () => Promise.resolve() })
    const { running, release } = await launch(under.isolation, plan, recorder)
    await running.ended
    expect((await running.snapshot({ directory: '/tmp' }, filesOf)).written).toEqual({ 'tmp/late': 'late\n' })
    await release()
  })

  it('has the attributes of the topmost package with a directory, also where that package removes something', async () => {
    const attribute = (name: string) => ({ [`SCHILY.xattr.user.${name}`]: 'low' })
    const low = tarOf(
      { name: 'opt/', type: '5', mode: 0o755, pax: attribute('a') },
      { name: 'opt/in/', type: '5', mode: 0o755, pax: attribute('b') },
      { name: 'opt/in/gone', data: 'gone' },
      { name: 'opt/hidden/', type: '5', mode: 0o755, pax: attribute('c') },
      { name: 'opt/hidden/below', data: 'below' },
      { name: 'opt/kept/', type: '5', mode: 0o755, pax: attribute('d') },
    )
    const high = tarOf(
      { name: 'opt/', type: '5', mode: 0o755 },
      { name: 'opt/in/', type: '5', mode: 0o700, pax: { 'SCHILY.xattr.user.e': 'high' } },
      { name: 'opt/hidden/', type: '5', mode: 0o755 },
    )
    const removals = [
      { kind: 'removed', path: 'opt/in/gone' },
      { kind: 'opaque', path: 'opt/hidden' },
    ] as const
    const { release, recorder, plan } = await launched('true', {
      root: [...under.root, under.resources.add('low', low), { ...under.resources.add('high', high), removals }],
    })
    await vi.waitFor(() => expect(recorder.stdout).toContain('ready\n'), 60_000)
    const { State } = await connectEngine().getContainer(launchName(plan.id)).inspect()
    const { entries } = groundTruth(`/proc/${State.Pid}/root/opt`, 'written out')
    await release()
    const attributes = Object.entries(entries).map(([path, line]) => [path, line.match(/user\.\w/g) ?? []])
    expect(Object.fromEntries(attributes)).toEqual({ hidden: [], in: ['user.e'], kept: ['user.d'] })
  })

  it('has attributes under the names that they have in the package, as far as the Engine can be told', async () => {
    const attributes = ['100%25', '%2525', 'a%3Db'].map((name) => [`SCHILY.xattr.user.${name}`, 'value'] as const)
    const app = tarOf(
      { name: 'opt/', type: '5', mode: 0o755 },
      { name: 'opt/file', data: 'file', paxList: attributes },
      { name: 'opt/one', data: 'one', paxList: attributes.slice(2) },
      { name: 'opt/last', data: 'last' },
    )
    const { release, recorder, plan } = await launched('true', {
      root: [...under.root, under.resources.add('app', app)],
    })
    await vi.waitFor(() => expect(recorder.stdout).toContain('ready\n'), 60_000)
    const { State } = await connectEngine().getContainer(launchName(plan.id)).inspect()
    const { entries } = groundTruth(`/proc/${State.Pid}/root/opt`, 'written out')
    await release()
    const names = Object.entries(entries).map(([path, line]) => [path, line.match(/user\.[^= ]+/g) ?? []])
    expect(Object.fromEntries(names)).toEqual({ file: ['user.%25', 'user.100%'], one: [], last: [] })
  })

  it('grows by a layer without sending layers that the Engine has', async () => {
    const app = under.resources.add('app', await tarball({ 'app/': '', 'app/hello': 'hello\n' }))
    await (await launched('true')).release()
    const { written } = await snapshotAfter('cp /app/hello /tmp/copy', { root: [...under.root, app] })
    expect(written).toEqual({ 'tmp/copy': 'hello\n' })
  })

  it('must contain the user and a shell', async () => {
    await expect(launched('true', { user: 'nobody' })).rejects.toMatchObject({
      code: 'unknown-user',
      message: expect.stringContaining('"nobody"') as string,
    })
    const bare = under.resources.add('bare', await tarball({ 'etc/': '', 'etc/passwd': 'runner:x:99:99::/:/bin/sh\n' }))
    await expect(launched('true', { root: [bare] })).rejects.toMatchObject({ code: 'no-shell' })
  })

  describe('with a program that cannot run', () => {
    const app = async (files: Readonly<Record<string, string>>) =>
      under.resources.add('app', await tarball({ 'app/': '', ...files }, { 'app/plain': 0o644 }))
    const endOf = async (command: string, change: Partial<WholePlan>) => {
      const { running, release } = await launched('true', { command, workingDirectory: '/app', ...change })
      const ending = await running.ended
      await release()
      return ending
    }

    it.each([
      ['is not there', './none', 127, 'there is no /app/none in its root'],
      ['has lost its exec bit', './plain', 126, '/app/plain has the mode 0644'],
      ['has no interpreter', 'exec ./orphan', 127, 'the root has no /usr/bin/none'],
      ['has the line ends of Windows', './crlf', 127, 'the first line of /app/crlf ends in CR LF'],
    ])('says which it is: it %s', async (_, command, exitCode, reason) => {
      const files = { 'app/plain': 'exit 0\n', 'app/orphan': '#!/usr/bin/none\n', 'app/crlf': '#!/bin/sh\r\n' }
      const ending = await endOf(command, { root: [...under.root, await app(files)] })
      expect(ending).toMatchObject({
        kind: 'not-runnable',
        exitCode,
        reason: expect.stringContaining(reason) as string,
      })
    })

    it('says that the root lacks its working directory', async () => {
      expect(await endOf('./none', { workingDirectory: '/srv/none' })).toMatchObject({
        kind: 'not-runnable',
        reason: expect.stringMatching(/its root lacks the working directory \/srv\/none$/) as string,
      })
    })

    it.each([126, 127])('is not confused with one that ends with %i', async (exitCode) => {
      const root = [...under.root, await app({ 'app/stager': `#!/bin/sh\nexit ${exitCode}\n` })]
      expect(await endOf('./stager', { root })).toEqual({ kind: 'exited', exitCode })
      expect(await endOf(`exit ${exitCode}`, { root })).toEqual({ kind: 'exited', exitCode })
    })

    it('says so too if not even the shell of its root can be executed', async () => {
      const shell = 'not a program: the kernel refuses it\n'
      const bare = await tarball({
        'bin/': '',
        'bin/sh': shell,
        'etc/': '',
        'etc/passwd': 'runner:x:99:99::/:/bin/sh\n',
      })
      await expect(launched('true', { root: [under.resources.add('bare', bare)] })).rejects.toMatchObject({
        name: 'NotRunnable',
      })
    })
  })

  describe('on a node that has no images', () => {
    let shared: DockerIsolationUnderTest
    beforeEach(async () => {
      shared = under
      under = await dockerIsolation()
    })
    afterEach(async () => {
      await under.close()
      under = shared
    })

    it('is created again when its image was removed', async () => {
      const first = await launched('true')
      await first.release()
      const engine = connectEngine()
      const images = await engine.listImages({ filters: { label: [`io.stagerd.node=${under.nodeId}`] } })
      expect(images).toHaveLength(1)
      for (const { Id } of images) await engine.getImage(Id).remove({ force: true })
      const second = await launched('true')
      await vi.waitFor(() => expect(second.recorder.stdout).toBe('ready\n'), 60_000)
      await second.release()
    })

    it('is loaded once for concurrent launches', async () => {
      const all = await Promise.all([launched('true'), launched('true'), launched('true')])
      await Promise.all(all.map(({ release }) => release()))
      const images = await connectEngine().listImages({ filters: { label: [`io.stagerd.node=${under.nodeId}`] } })
      expect(images).toHaveLength(1)
    })

    it('can be discarded, even when another image has taken its name', async () => {
      await (await launched('true')).release()
      const [rootImage] = await under.isolation.caches([]).then((all) => all.filter(({ kind }) => kind === 'image'))
      const other = await smallImage(await tarball({ a: 'b' }), under.nodeId)
      const [repo = '', tag = ''] = rootImage!.id.split(':')
      await connectEngine().getImage(other).tag({ repo, tag })
      const images = (await under.isolation.caches([])).filter(({ kind }) => kind === 'image')
      expect(images.map(({ id }) => id.replace(/^sha256:.*/, 'nameless')).sort()).toEqual(
        [rootImage!.id, other, 'nameless'].sort(),
      )
      for (const image of images) expect(await under.isolation.discard(image)).toBe(true)
      expect((await under.isolation.caches([])).filter(({ kind }) => kind === 'image')).toEqual([])
    })
  })

  it('ends while it is read: the reader gets an error', async () => {
    const { running, release } = await launched('true')
    const reading = running.snapshot({}, async (archive) => {
      running.stop()
      for await (const chunk of archive) void chunk
      throw new Error('read to the end')
    })
    await expect(reading).rejects.toThrow()
    expect(await running.ended).toEqual({ kind: 'stopped' })
    await release()
  })
})
