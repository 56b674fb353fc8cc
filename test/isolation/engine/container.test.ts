import type Docker from 'dockerode'
import { describe, expect, it } from 'vitest'
import { Fault } from '../../../base/errors.js'
import { Container } from '../../../isolation/engine/container.js'

const refusal = (message: string) =>
  Object.assign(new Error(`(HTTP code 500) ${message}`), { statusCode: 500, json: { message } })

type Answer = string | Error | undefined

/** A container whose Engine gives the listed responses in order: an error message, a lost response, or undefined. */
function containerThatAnswers(
  answers: { pause?: Answer[]; unpause?: Answer[]; remove?: Answer[] },
  freezeTimeoutMs?: number,
) {
  const answer = (all: Answer[] | undefined) => () => {
    if (!all || all.length === 0) throw new Error('unexpected call')
    const message = all.shift()
    if (message === undefined) return Promise.resolve()
    return Promise.reject(typeof message === 'string' ? refusal(message) : message)
  }
  const calls = { pause: answer(answers.pause), unpause: answer(answers.unpause), remove: answer(answers.remove) }
  return new Container({ getContainer: () => calls } as unknown as Docker, '4128', freezeTimeoutMs)
}

const LOST = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
// Messages of Docker 20.10 and 28.
const ALREADY_PAUSED = 'Container 4128 is already paused'
const NOT_RUNNING = 'Container 4128 is not running'
const NOT_YET = 'Cannot pause container 4128: OCI runtime pause failed: unable to freeze: unknown'
const NOT_YET_VERSION_2 =
  'Cannot pause container 4128: OCI runtime pause failed: timeout of 5s reached waiting for the cgroup to freeze: unknown'
const NO_FREEZER =
  'Cannot pause container 4128: OCI runtime pause failed: unable to freeze: openat2 /sys/fs/cgroup/freezer/docker/4128/freezer.state: no such file or directory: unknown'

describe('freezing a container', () => {
  it('must be undone', async () => {
    const container = containerThatAnswers({ pause: [undefined], unpause: [undefined] })
    expect(await container.pause()).toBe(true)
    await container.unpause()
  })

  it('is not needed if the container does not run', async () => {
    expect(await containerThatAnswers({ pause: [NOT_RUNNING] }).pause()).toBe(false)
  })

  it('does not take over the pause of a user', async () => {
    expect(await containerThatAnswers({ pause: [ALREADY_PAUSED] }).pause()).toBe(false)
  })

  it('must be undone if an earlier thaw failed', async () => {
    const container = containerThatAnswers({ pause: [undefined, ALREADY_PAUSED], unpause: ['busy', undefined] })
    expect(await container.pause()).toBe(true)
    await expect(container.unpause()).rejects.toMatchObject({ code: 'engine-error' })
    expect(await container.pause()).toBe(true)
    await container.unpause()
  })

  it('is undone at once if the response of the Engine is lost', async () => {
    const unpause = [undefined]
    const container = containerThatAnswers({ pause: [LOST, ALREADY_PAUSED], unpause })
    await expect(container.pause()).rejects.toMatchObject({ code: 'engine-down' })
    expect(unpause).toEqual([])
    // Now it was paused by a user.
    expect(await container.pause()).toBe(false)
  })

  it.each([
    'Cannot pause container 4128: transport is closing: unavailable',
    'Cannot pause container 4128: connection error: desc = "transport: error while dialing: dial unix:///run/containerd/containerd.sock"',
    'context deadline exceeded',
  ])('is undone, and no fault of the container, if the Engine itself fails ("%s")', async (message) => {
    const unpause = [undefined]
    await expect(containerThatAnswers({ pause: [message], unpause }).pause()).rejects.toMatchObject({
      code: 'engine-error',
    })
    expect(unpause).toEqual([])
  })

  it('must be undone by the next caller if that fails too', async () => {
    const container = containerThatAnswers({ pause: [LOST, ALREADY_PAUSED], unpause: [LOST, undefined] })
    await expect(container.pause()).rejects.toMatchObject({
      code: 'engine-down',
      cleanupFailures: [{ what: 'thaw the container', error: { code: 'engine-down' } }],
    })
    expect(await container.pause()).toBe(true)
    await container.unpause()
  })

  it('fails with the reason and a remedy if the Engine has no freezer', async () => {
    const error: unknown = await containerThatAnswers({ pause: [NO_FREEZER] })
      .pause()
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Fault)
    expect(error).toMatchObject({ code: 'cannot-freeze', message: expect.stringContaining(NO_FREEZER) as string })
    expect((error as Error).message).toMatch(/give the Docker Engine the cgroup freezer/)
  })

  it('retries while a process waits for a disk', async () => {
    expect(await containerThatAnswers({ pause: [NOT_YET, NOT_YET_VERSION_2, undefined] }).pause()).toBe(true)
    // The process ended when the disk had responded.
    expect(await containerThatAnswers({ pause: [NOT_YET, NOT_RUNNING] }).pause()).toBe(false)
  })

  it('does not retry after the signal is aborted', async () => {
    const noRetry = new AbortController()
    const pause = [NOT_YET, NOT_YET, NOT_YET]
    const pausing = containerThatAnswers({ pause }).pause(noRetry.signal)
    expect(pause).toHaveLength(2)
    noRetry.abort()
    await expect(pausing).rejects.toMatchObject({ code: 'cannot-freeze' })
  })

  it.each(['container not running: unknown', 'cannot pause a stopped container: unknown'])(
    'is not needed if the container ends meanwhile ("%s")',
    async (message) => {
      const first = `Cannot pause container 4128: OCI runtime pause failed: ${message}`
      expect(await containerThatAnswers({ pause: [first, NOT_RUNNING] }).pause()).toBe(false)
    },
  )

  it('has a timeout, and reports what it waited for', async () => {
    const container = containerThatAnswers({ pause: [NOT_YET, NOT_YET, NOT_YET] }, 20)
    await expect(container.pause()).rejects.toMatchObject({
      code: 'cannot-freeze',
      message: expect.stringMatching(/waiting for a disk or a device for 0\.02 s: let it finish first\.$/) as string,
    })
  })

  it('ignores that the container was killed or thawed by a user', async () => {
    await containerThatAnswers({ unpause: ['Container 4128 is not paused'] }).unpause()
    await containerThatAnswers({ unpause: [NOT_RUNNING] }).unpause()
  })
})

describe('removing a container', () => {
  // Docker 28, after containerd was away.
  const NOT_KILLED = 'could not kill container: tried to kill container, but did not receive an exit event'

  it('is repeated when the Engine has learnt only by this that the container had ended', async () => {
    const remove = [NOT_KILLED, undefined]
    await containerThatAnswers({ remove }).remove()
    expect(remove).toEqual([])
  })

  it('fails when the container cannot be killed', async () => {
    const removing = containerThatAnswers({ remove: [NOT_KILLED, NOT_KILLED] }).remove()
    await expect(removing).rejects.toMatchObject({ code: 'engine-error' })
  })
})
