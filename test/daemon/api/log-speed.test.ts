import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { stagingLogRoutes } from '../../../daemon/api/routes/staging-log.js'
import { buildServer } from '../../../daemon/api/server.js'
import { LogStore } from '../../../daemon/log/log-store.js'
import { StagerOutput } from '../../../daemon/staging/stager-output.js'
import type { StagingLedger } from '../../../daemon/store/staging-ledger.js'
import { cpuMsOf, longestTurnOf } from '../../support/cpu-time.js'
import { temporaryDirectory } from '../store/temporary-directory.js'
import { ApiClient, logTo, UNGUARDED } from './api-client.js'

const LINES = 100_000
const UUID = randomUUID()
let logs: LogStore
let under: ApiClient
let ended = false

beforeAll(async () => {
  const directory = await temporaryDirectory()
  logs = new LogStore(`${directory.path}/logs`, () => Promise.resolve(ended))
  const ledger = { get: () => Promise.resolve({ uuid: UUID, state: 'running' }) } as unknown as StagingLedger
  const api = buildServer({
    logger: logTo([]),
    registry: new Registry(),
    ...UNGUARDED,
    routes: [(scope, closing) => stagingLogRoutes(scope, { ledger, logs }, closing)],
  })
  under = new ApiClient(api, directory)
})
afterAll(() => under.close())

/** The number of events that the answer has. */
async function countLines(query = ''): Promise<number> {
  const { request, answer } = await under.connect('GET', `/v1/stagings/${UUID}/log${query}`)
  request.end()
  let count = 0
  let tail = ''
  for await (const chunk of (await answer) as IncomingMessage & AsyncIterable<Buffer>) {
    const blocks = (tail + chunk.toString('latin1')).split('\n\n')
    tail = blocks.pop() ?? ''
    count += blocks.filter((block) => block.startsWith('event: line\n')).length
  }
  return count
}

it('100 000 lines that are printed one by one are written and followed in batches', async () => {
  const cpuMs = await cpuMsOf(async () => {
    const followed = countLines()
    const writer = await logs.write(UUID)
    const output = new StagerOutput(writer)
    for (let n = 1; n <= LINES; n++) await output.push('stdout', Buffer.from(`line ${n} of a program that builds\n`))
    ended = true
    await writer.close()
    expect(await followed).toBe(LINES)
  })
  expect(cpuMs).toBeLessThan(5_000)
})

it('100 000 lines are read in a second of the processor, while other requests get their turn', async () => {
  let longest = Infinity
  const cpuMs = await cpuMsOf(async () => {
    longest = await longestTurnOf(async () => expect(await countLines('?follow=false')).toBe(LINES))
  })
  expect(cpuMs).toBeLessThan(2_500)
  expect(longest).toBeLessThan(100)
})

it('the last lines are read without the first', async () => {
  const cpuMs = await cpuMsOf(async () => expect(await countLines(`?follow=false&since=${LINES - 5}`)).toBe(5))
  expect(cpuMs).toBeLessThan(100)
})

it('output of nothing but line ends does not keep other requests waiting', async () => {
  const writer = await logs.write(randomUUID())
  const chunk = Buffer.from('\n'.repeat(512 * 1024))
  expect(await longestTurnOf(() => new StagerOutput(writer).push('stdout', chunk))).toBeLessThan(100)
  await writer.close()
})
