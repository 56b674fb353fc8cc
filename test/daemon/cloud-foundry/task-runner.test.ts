import { Readable } from 'node:stream'
import pino from 'pino'
import { expect, it } from 'vitest'
import { TaskRunner, stagingOf, type TaskRunnerParts } from '../../../daemon/cloud-foundry/task-runner.js'
import { BadInput } from '../../../base/errors.js'
import type { Result, ResultContent } from '../../../daemon/model/result.js'
import type { Staging } from '../../../daemon/model/staging.js'
import { resource } from '../../contract/samples.js'

const TASK = {
  ...{ number: 1, term: 1 },
  ...{ id: '0123456789abcdef0123456789abcdef', request: Buffer.of(), reply: undefined, answer: undefined },
  ...{ receivedAt: '', begunAt: new Date().toISOString(), uploading: false, log: '' },
}
const REQUEST = {
  ...{ appId: 'app', environment: {}, downloadUri: '', uploadUri: '', limits: {} },
  ...{ framework: undefined, runtime: undefined, buildpack: undefined },
}

const contentOf = (name: string): ResultContent => ({
  ...{ resource: resource(), dependencies: [], provides: [], templates: [] },
  environment: { NAME: name },
})
const resultOf = (number: number, staging: string): Result => ({
  ...{ number, making: undefined, createdAt: '' },
  ...{ origin: { kind: 'staging', staging, pipeline: '' }, content: contentOf(staging) },
})

/** What the droplet of a task is made of whose staging has succeeded. */
async function droppedBy(staging: Partial<Staging>, results: readonly Result[]): Promise<ResultContent | undefined> {
  let content: ResultContent | undefined
  const runner = new TaskRunner({
    ledger: {
      get: (uuid: string) => Promise.resolve({ uuid, state: 'succeeded', awaitsSource: false, ...staging }),
      results: () => Promise.resolve(results),
    },
    logs: { follow: () => Readable.from([]) },
    droplets: {
      open: async (
        _ref: unknown,
        _signal: unknown,
        options: { contentOf: () => Promise<ResultContent | undefined> },
      ) => {
        content = await options.contentOf()
        throw new BadInput('enough', 'It is not made.')
      },
    },
    ...{ timeoutMs: 60_000, logger: pino({ level: 'silent' }) },
  } as unknown as TaskRunnerParts)
  const answer = await runner.run(TASK, REQUEST, new AbortController().signal)
  expect(answer?.error).toBe('Failed creating droplet')
  return content
}

const own = stagingOf(TASK.id)

it('a droplet is of what its own staging has made, and not of what another request has made since', async () => {
  expect(own).toBe('01234567-89ab-cdef-0123-456789abcdef')
  const results = [resultOf(3, 'later'), resultOf(2, own), resultOf(1, 'earlier')]
  expect((await droppedBy({}, results))?.environment).toEqual({ NAME: own })
  expect((await droppedBy({ reused: 'earlier' }, [resultOf(3, 'later'), resultOf(1, 'earlier')]))?.environment).toEqual(
    {
      NAME: 'earlier',
    },
  )
  expect(await droppedBy({}, [resultOf(3, 'later')])).toBeUndefined()
})
