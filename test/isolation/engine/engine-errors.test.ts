import { describe, expect, it } from 'vitest'
import { Unavailable } from '../../../base/errors.js'
import {
  EngineRefusal,
  askEngine,
  askEngineAtLength,
  engineError,
  isStatus,
  startError,
} from '../../../isolation/engine/engine-errors.js'

const httpError = (statusCode: number, message: string) =>
  Object.assign(new Error(`(HTTP code ${statusCode}) ${message}`), { statusCode, json: { message } })
const connectionError = (code: string) => Object.assign(new Error(`connect ${code} /run/docker.sock`), { code })

describe('errors of the Engine', () => {
  it.each(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EACCES'])('report that it is down: %s', (code) => {
    expect(engineError('create a network', connectionError(code))).toMatchObject({ code: 'engine-down' })
  })

  it('report that its disk is full', () => {
    const error = engineError('load an image', httpError(500, 'write /var/lib/x: no space left on device'))
    expect(error).toBeInstanceOf(Unavailable)
    expect(error.code).toBe('disk-full')
  })

  it('otherwise keep its message and status', () => {
    const error = engineError('create a container', httpError(404, 'No such image: x'))
    expect(error).toMatchObject({ code: 'engine-refused', reason: 'No such image: x' })
    expect(isStatus(error, 404)).toBe(true)
  })

  it('report that it is down if it does not respond', async () => {
    await expect(askEngine('answer', new Promise(() => undefined), 10)).rejects.toMatchObject({ code: 'engine-down' })
  })
})

describe('a container that does not start', () => {
  const plan = { user: 'runner', workingDirectory: '/app' }
  it.each([
    ['unable to find user runner: no matching entries in passwd file', 'unknown-user'],
    ['OCI runtime create failed: exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown', 'no-shell'],
    ['OCI runtime create failed: mkdir /app: not a directory: unknown', 'bad-working-directory'],
    ['Minimum memory limit allowed is 6MB', 'bad-limits'],
    ['Bind for 127.0.0.1:80 failed: port is already allocated', 'port-taken'],
  ])('because of its plan: %s', (reason, code) => {
    const error = startError(new EngineRefusal(500, reason, reason), plan)
    expect(error).toMatchObject({ code, kind: code === 'port-taken' ? 'bad-input' : 'not-runnable' })
  })

  it('for another reason keeps the error', () => {
    const error = new EngineRefusal(500, 'cannot allocate memory', 'refused')
    expect(startError(error, plan)).toBe(error)
  })
})

describe('a request that can take long', () => {
  /** Never answers; tells when it is aborted. */
  const endless = () => {
    let signal: AbortSignal | undefined
    const call = (given: AbortSignal) => {
      signal = given
      return new Promise<never>((_, reject) => given.addEventListener('abort', () => reject(new Error('aborted'))))
    }
    return { call, isAborted: () => signal?.aborted }
  }

  it('ends at once when its caller is cancelled, with the reason, and for the Engine too', async () => {
    const stop = new AbortController()
    const { call, isAborted } = endless()
    const asked = askEngineAtLength('load an image', call, 60_000, stop.signal)
    expect(isAborted()).toBe(false)
    stop.abort(new Error('the daemon ends'))
    await expect(asked).rejects.toThrow('the daemon ends')
    expect(isAborted()).toBe(true)
    await expect(askEngineAtLength('load an image', call, 60_000, stop.signal)).rejects.toThrow('the daemon ends')
  })

  it('ends at its deadline, for the Engine too', async () => {
    const { call, isAborted } = endless()
    const asked = askEngineAtLength('load an image', call, 10, new AbortController().signal)
    await expect(asked).rejects.toMatchObject({ code: 'engine-down' })
    expect(isAborted()).toBe(true)
  })
})
