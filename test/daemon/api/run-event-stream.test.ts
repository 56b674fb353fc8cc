import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { RunEventStream } from '../../../daemon/api/run-event-stream.js'
import type { RunningProgram } from '../../../daemon/runs/run.js'

const PROGRAM: RunningProgram = {
  id: 'run',
  namespace: '/',
  ports: [],
  ended: new Promise(() => undefined),
  input: () => Promise.resolve(),
  stop: () => undefined,
}

/** Whether `promise` has settled by now, after everything that is due. */
async function hasSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  void promise.then(() => (settled = true))
  await setImmediate()
  return settled
}

it('output waits until the start is known', async () => {
  const events = new RunEventStream(new AbortController().signal, 'n')
  const output = events.output('stdout', Buffer.from('early'))
  expect(await hasSettled(output)).toBe(false)
  void events.follow(PROGRAM)
  expect(await hasSettled(output)).toBe(true)
})

it('a client that does not read stops the output, until it reads again', async () => {
  const events = new RunEventStream(new AbortController().signal, 'n')
  void events.follow(PROGRAM)
  const output = events.output('stdout', Buffer.alloc(1_000_000))
  expect(await hasSettled(output)).toBe(false)
  events.body.resume()
  await output
})

it('a client that closes the connection does not block the output', async () => {
  const client = new AbortController()
  const events = new RunEventStream(client.signal, 'n')
  void events.follow(PROGRAM)
  const output = events.output('stdout', Buffer.alloc(1_000_000))
  client.abort()
  await output
})

it('a client that has closed it before does not block the output either, and nothing is kept for it', async () => {
  const events = new RunEventStream(AbortSignal.abort(), 'n')
  await events.output('stdout', Buffer.alloc(1_000_000))
  expect(events.body.destroyed).toBe(true)
})
