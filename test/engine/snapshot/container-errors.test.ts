import { execFileSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { connectEngine } from '../../../isolation/engine/connect.js'
import type { RunningContainer } from '../../../isolation/isolation.js'
import { launchName } from '../../../isolation/host/ownership.js'
import { filesOf, launch, planOf, Recorder, type Launched } from '../../contract/isolation-under-test.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'
import { freezerGroup } from '../support/freezer-group.js'
import { HangingDisk } from '../support/hanging-disk.js'
import { PrivateEngine } from '../support/private-engine.js'

const IDLE = { shell: 'echo new > /tmp/new; echo ready; sleep 60', fake: () => Promise.resolve() }

describe('a container that', () => {
  let under: DockerIsolationUnderTest
  let running: RunningContainer
  let release: Launched['release']
  let recorder: Recorder
  let name: string

  beforeEach(async () => {
    under = await dockerIsolation()
    recorder = new Recorder()
    // Without a limit, the disk watch never freezes it to measure its files.
    const plan = planOf(under, IDLE, { diskBytes: 2 ** 50 })
    name = launchName(plan.id)
    ;({ running, release } = await launch(under.isolation, plan, recorder))
    await expect.poll(() => recorder.stdout, { timeout: 30_000 }).toContain('ready')
  })
  afterEach(async () => {
    await release()
    await under.close()
  })

  const container = () => connectEngine().getContainer(name)
  const state = async () => (await container().inspect()).State

  test('was paused by a user can be read, and stays paused', async () => {
    await container().pause()
    const { written } = await running.snapshot({}, filesOf)
    expect(written).toEqual({ 'tmp/new': 'new\n' })
    expect((await state()).Paused).toBe(true)
    await container().unpause()
    expect((await running.snapshot({}, filesOf)).written).toEqual(written)
    expect((await state()).Paused).toBe(false)
  })

  test('the Engine cannot freeze gives an error, and continues', async () => {
    const { Pid } = await state()
    const group = freezerGroup(Pid)
    execFileSync('mount', ['--bind', group, group])
    try {
      execFileSync('mount', ['-o', 'remount,bind,ro', group])
      await expect(running.snapshot({}, filesOf)).rejects.toMatchObject({
        code: 'cannot-freeze',
        message: expect.stringMatching(/^The container cannot be frozen.*: .*; give the Docker Engine/s) as string,
      })
    } finally {
      execFileSync('umount', [group])
    }
    expect(await state()).toMatchObject({ Running: true, Paused: false })
    expect((await running.snapshot({}, filesOf)).written).toEqual({ 'tmp/new': 'new\n' })
  })

  test('waits for a disk is frozen when the disk has responded', async () => {
    const disk = await HangingDisk.make()
    try {
      await disk.hang(freezerGroup((await state()).Pid))
      // The error of runc, which shows that a process waits for the disk.
      await expect(container().pause()).rejects.toThrow('unable to freeze')
      const pause = vi.spyOn(Object.getPrototypeOf(container()) as ReturnType<typeof container>, 'pause')
      onTestFinished(() => pause.mockRestore())
      const snapshot = running.snapshot({}, filesOf)
      // The timeout of runc.
      const hasFailed = () => pause.mock.settledResults.some(({ type }) => type === 'rejected')
      await vi.waitFor(() => expect(hasFailed()).toBe(true), 30_000)
      await disk.answer()
      expect((await snapshot).written).toEqual({ 'tmp/new': 'new\n' })
    } finally {
      await disk.close()
    }
  })
})

describe('an Engine without overlays', () => {
  let engine: PrivateEngine
  let under: DockerIsolationUnderTest

  beforeEach(async () => {
    engine = await PrivateEngine.start('vfs')
    under = await dockerIsolation(new Map(), engine)
  })
  afterEach(async () => {
    await under.close()
    await engine.close()
  })

  test('is rejected before a stager starts, with a remedy, and doctor reports it', async () => {
    const launched = launch(under.isolation, planOf(under, IDLE), new Recorder())
    await expect(launched).rejects.toMatchObject({
      code: 'root-not-overlay',
      message: expect.stringMatching(/not an overlay: let the Docker Engine use the storage driver overlay2/) as string,
    })
    expect(await under.traces()).toEqual([])
    const finding = (await under.isolation.examine()).find(({ subject }) => subject === 'storage driver')
    expect(finding).toMatchObject({ verdict: 'bad' })
    expect(finding?.message).toMatch(/^vfs has no upper directory, so snapshots fail: set "storage-driver": "overlay2"/)
  })
})
