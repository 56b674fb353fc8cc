import { once } from 'node:events'
import { createServer, type Agent, type ServerResponse } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type Docker from 'dockerode'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StagerdError } from '../../../base/errors.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { ApiUnderTest } from '../../daemon/api/api-under-test.js'
import { openInProcess, untilNothingMoreIsOpen } from '../../support/open-in-process.js'
import { Latencies } from '../support/latencies.js'
import { LIES, QUESTIONS, type Question } from './engine-lies.js'

/** After these, a launch is lost, and its stager is launched again (`LaunchConclusion`). */
const OF_ENGINE = ['engine-down', 'engine-error']

/** Each question is answered, or refused, long before the Engine counts as one that hangs. */
const SOON_MS = 10_000

let directory: string
let engine: Docker
let answer: (response: ServerResponse) => void
const asked: string[] = []
const server = createServer((request, response) => {
  asked.push(`${request.method} ${(request.url ?? '').replace(/\?.*/, '')}`)
  request.resume()
  response.on('error', () => undefined)
  answer(response)
})
const latencies = { idle: new Latencies(), meanwhile: new Latencies() }
let under: ApiUnderTest
const health = async () => {
  const { request, answer: answered } = await under.connect('GET', '/healthz')
  request.end()
  const got = (await answered).resume()
  await once(got, 'end')
  expect(got.statusCode).toBe(200)
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stagerd-lies-'))
  const socketPath = join(directory, 'docker.sock')
  await once(server.listen(socketPath), 'listening')
  engine = connectEngine({ socketPath })
  under = await ApiUnderTest.open()
  await under.listen()
  for (let n = 0; n < 20; n++) await health()
  for (let n = 0; n < 50; n++) await latencies.idle.of(health)
})
afterAll(async () => {
  server.close()
  await under.close()
  await rm(directory, { recursive: true })
})

/** They close by themselves, a second later. One that a request has not given back stays. */
function closeKeptConnections(): void {
  const { freeSockets } = (engine.modem as unknown as { agent: Agent }).agent
  for (const socket of Object.values(freeSockets).flatMap((sockets) => sockets ?? [])) socket.destroy()
}

const truthfully = ({ status, truth }: Question) => {
  answer = (response) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(truth === undefined ? undefined : JSON.stringify(truth))
  }
}

/** What becomes of a question: `answered`, or the code of its error. */
async function outcomeOf({ ask }: Question): Promise<string> {
  const late = new Promise<string>((resolve) => setTimeout(resolve, SOON_MS, 'nothing').unref())
  const outcome = ask(engine).then(
    () => 'answered',
    (error: unknown) => (error instanceof StagerdError ? error.code : `no error of stagerd: ${String(error)}`),
  )
  const first = await Promise.race([outcome, late, latencies.meanwhile.of(health).then(() => outcome)])
  return first
}

describe.each(QUESTIONS)('an Engine that is asked $asks', (question) => {
  it('is believed when it tells the truth', async () => {
    truthfully(question)
    asked.length = 0
    expect(await outcomeOf(question)).toBe('answered')
    expect(asked).toEqual([question.route])
  })

  const lies = LIES.filter(({ ofBodies }) => ofBodies !== true || question.truth !== undefined)
  // An empty list is a true list.
  const told = lies.filter(({ lie }) => !(Array.isArray(question.truth) && lie.includes('[]')))
  it.each(told)('fails, and says so, when it answers $lie', async ({ tell }) => {
    const before = await openInProcess()
    answer = (response) => tell(response, question)
    expect(OF_ENGINE).toContain(await outcomeOf(question))
    await untilNothingMoreIsOpen(before, () => {
      closeKeptConnections()
      return openInProcess()
    })
  })

  it.each((question.untrue ?? []).map((untrue) => ({ untrue })))(
    'fails when it answers $untrue',
    async ({ untrue }) => {
      answer = (response) =>
        response.writeHead(question.status, { 'content-type': 'application/json' }).end(JSON.stringify(untrue))
      expect(OF_ENGINE).toContain(await outcomeOf(question))
    },
  )
})

it('does not keep others waiting', () => {
  const { idle, meanwhile } = latencies
  console.log(`/healthz beside an Engine that lies: idle ${idle.text}, meanwhile ${meanwhile.text}`)
  expect(meanwhile.count).toBeGreaterThan(100)
  expect(meanwhile.median).toBeLessThan(10 * idle.median)
})
