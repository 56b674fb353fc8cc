import type { IncomingMessage } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { linesOf } from '../../../base/lines-of.js'
import { NotFound } from '../../../base/errors.js'
import { keptLaunchRoutes } from '../../../daemon/api/routes/kept-launches.js'
import type { ShellEvent } from '../../../daemon/documents/kept.js'
import type { KeptLaunches, OpenShell, ShellEnding } from '../../../daemon/staging/kept-launches.js'
import type { ShellHooks } from '../../../isolation/kept-container.js'
import type { ShellPlan, TerminalSize } from '../../../isolation/launch-plan.js'
import { openRoutes, type ApiClient } from './api-client.js'

const STAGING = '5f0c6d0e-9a3f-4c55-8d0b-0d8cf1a5a6a7'

/** One kept container with one shell, controlled by the test. */
class FakeKept implements Pick<KeptLaunches, 'openShell' | 'release'> {
  plan: ShellPlan | undefined
  output: ShellHooks['output'] = () => Promise.reject(new Error('no shell is open'))
  end: (ending: ShellEnding) => void = () => undefined
  readonly sizes: TerminalSize[] = []
  input = ''
  hangUps = 0
  released: string[] = []

  openShell(staging: string, plan: ShellPlan, hooks: ShellHooks): Promise<OpenShell> {
    if (staging !== STAGING) return Promise.reject(new NotFound('not-kept', 'Nothing is kept.'))
    this.plan = plan
    this.output = (stream, chunk) => hooks.output(stream, chunk)
    return Promise.resolve({
      ended: new Promise((resolve) => (this.end = resolve)),
      input: async (chunks) => {
        for await (const chunk of chunks) this.input += Buffer.from(chunk).toString()
      },
      resize: (size) => {
        this.sizes.push(size)
        return Promise.resolve()
      },
      hangUp: () => {
        this.hangUps += 1
        this.end({ kind: 'exited', exitCode: 129 })
      },
    })
  }

  release(staging: string): Promise<void> {
    this.released.push(staging)
    return Promise.resolve()
  }
}

describe('a shell over the API', () => {
  let kept: FakeKept
  let under: ApiClient
  beforeEach(async () => {
    kept = new FakeKept()
    under = await openRoutes((api, closing) => keptLaunchRoutes(api, { kept }, closing))
  })
  afterEach(() => under.close())

  const open = async (draft: unknown) => {
    const { request, answer } = await under.connect('POST', `/v1/stagings/${STAGING}/shells`, {
      'content-type': 'application/json',
    })
    request.end(JSON.stringify(draft))
    return { request, events: eventsOf(await answer) }
  }

  it('streams what it prints, takes its input, and tells its exit code', async () => {
    const { events } = await open({ command: ['cat', '-'] })
    const started = await next(events)
    expect(kept.plan).toEqual({ command: ['cat', '-'], terminal: undefined })
    const shell = started.event === 'started' ? started.shell : ''
    const input = await under.connect('POST', `/v1/stagings/${STAGING}/shells/${shell}/input`, {
      'content-type': 'application/octet-stream',
    })
    input.request.write('one ')
    await expect.poll(() => kept.input).toBe('one ')
    input.request.end('two')
    expect((await input.answer).statusCode).toBe(204)
    expect(kept.input).toBe('one two')
    await kept.output('stderr', Buffer.from([0xff, 0x0a]))
    expect(await next(events)).toEqual({ event: 'output', stream: 'stderr', data: '/wo=' })
    kept.end({ kind: 'exited', exitCode: 7 })
    expect(await next(events)).toEqual({ event: 'ended', exit_code: 7 })
    const again = await under.ask('PUT', `/v1/stagings/${STAGING}/shells/${shell}/size`, { columns: 1, rows: 1 })
    expect(again.document).toMatchObject({ status: 404, code: 'shell-not-found' })
  })

  it('has a terminal, whose size can be changed', async () => {
    const { events } = await open({ terminal: { type: 'xterm-256color', columns: 80, rows: 24 } })
    const started = await next(events)
    expect(kept.plan?.terminal).toEqual({ type: 'xterm-256color', columns: 80, rows: 24 })
    const shell = started.event === 'started' ? started.shell : ''
    const size = { columns: 100, rows: 50 }
    expect((await under.ask('PUT', `/v1/stagings/${STAGING}/shells/${shell}/size`, size)).status).toBe(204)
    const other = `/v1/stagings/${STAGING.replace('5', '6')}/shells/${shell}/size`
    expect((await under.ask('PUT', other, size)).status).toBe(404)
    expect(kept.sizes).toEqual([size])
    kept.end({ kind: 'gone', message: 'The kept container was released after 15m.' })
    expect(await next(events)).toEqual({ event: 'ended', message: 'The kept container was released after 15m.' })
  })

  it('is hung up when its client goes away', async () => {
    const { request, events } = await open({})
    await next(events)
    request.destroy()
    await expect.poll(() => kept.hangUps).toBe(1)
  })

  it('is refused with the reason when nothing is kept, or for a terminal that cannot be', async () => {
    const none = await under.ask('POST', `/v1/stagings/${STAGING.replace('5', '6')}/shells`, {})
    expect(none.document).toMatchObject({ status: 404, code: 'not-kept' })
    const bad = { terminal: { type: 'x;y', columns: 0, rows: 24 } }
    expect((await under.ask('POST', `/v1/stagings/${STAGING}/shells`, bad)).status).toBe(400)
  })

  it('is ended with its container on request', async () => {
    expect((await under.ask('POST', `/v1/stagings/${STAGING}/release`)).status).toBe(204)
    expect(kept.released).toEqual([STAGING])
  })
})

async function* eventsOf(answer: IncomingMessage): AsyncGenerator<ShellEvent> {
  try {
    for await (const line of linesOf(answer)) yield JSON.parse(line) as ShellEvent
  } catch {
    // The test has ended the connection.
  }
}

async function next(events: AsyncGenerator<ShellEvent>): Promise<ShellEvent> {
  const result = await events.next()
  if (result.done === true) throw new Error('there are no more events')
  return result.value
}
