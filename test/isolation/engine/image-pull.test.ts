import { PassThrough, Readable } from 'node:stream'
import type Docker from 'dockerode'
import { describe, expect, it } from 'vitest'
import { pullImage } from '../../../isolation/engine/image-pull.js'

const never = new AbortController().signal
const lines = (...messages: object[]) => Readable.from(messages.map((message) => `${JSON.stringify(message)}\r\n`))

/** An Engine that answers a pull with `answer`. */
const engine = (answer: Readable | Error) =>
  ({ pull: () => (answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)) }) as unknown as Docker

const refusal = (statusCode: number, message: string) => Object.assign(new Error(message), { statusCode })

describe('pulling an image', () => {
  it('reports the messages of the Engine without progress bars', async () => {
    const said: string[] = []
    const answer = lines(
      { status: 'Pulling from library/debian', id: '12' },
      { status: 'Downloading', id: 'abc', progressDetail: { current: 1, total: 2 } },
      { status: 'Pull complete', id: 'abc', progressDetail: {} },
      { status: 'Status: Downloaded newer image' },
    )
    await pullImage(engine(answer), 'debian:12', (line) => said.push(line), never)
    expect(said).toEqual(['12: Pulling from library/debian', 'abc: Pull complete', 'Status: Downloaded newer image'])
  })

  it.each<[what: string, answer: Readable | Error, code: string]>([
    ['an unknown image', refusal(404, 'pull access denied for x'), 'no-such-image'],
    ['an unknown tag', refusal(500, 'manifest for x:1 not found: manifest unknown'), 'no-such-image'],
    ['an unreachable registry', refusal(500, 'Get "https://r/v2/": dial tcp: i/o timeout'), 'registry-unreachable'],
    ['a lost connection to the registry', lines({ error: 'unexpected EOF' }), 'registry-unreachable'],
    ['a full disk', lines({ error: 'write /x: no space left on device' }), 'disk-full'],
    ['a lost connection to the Engine', brokenOff(), 'engine-down'],
  ])('reports %s', async (_what, answer, code) => {
    await expect(pullImage(engine(answer), 'x:1', () => undefined, never)).rejects.toMatchObject({ code })
  })

  it('ends on an abort', async () => {
    const stop = new AbortController()
    const pulling = pullImage(engine(new PassThrough()), 'x:1', () => undefined, stop.signal)
    stop.abort(new Error('changed my mind'))
    await expect(pulling).rejects.toThrow('changed my mind')
  })
})

function brokenOff(): Readable {
  return new Readable({
    read() {
      this.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
    },
  })
}
