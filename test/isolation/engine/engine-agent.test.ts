import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, get, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import Docker from 'dockerode'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connectEngine, pingEngine } from '../../../isolation/engine/connect.js'
import { engineAgent } from '../../../isolation/engine/engine-agent.js'

it('the agent of the Engine describes itself in a word, whatever it is connected to', async () => {
  const agent = engineAgent('http')
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const request = get({ agent, port, host: '127.0.0.1' }).on('error', () => undefined)
  await once(server, 'request')
  // As docker-modem does for each request.
  expect(inspect({ agent, path: '/info' }, { showHidden: true, depth: null })).toBe(
    "{ agent: EngineAgent, path: '/info' }",
  )
  request.destroy()
  server.close()
})

describe('the connections of a client to an Engine', () => {
  /** An Engine at a socket, by default one that answers every request with `{}`. `count` has its open connections. */
  async function listen(socketPath: string, answer: RequestListener = (_, response) => response.end('{}')) {
    const open = new Set<Socket>()
    let accepted = 0
    const server = createServer(answer)
      .on('connection', (socket: Socket) => {
        accepted += 1
        open.add(socket)
        socket.on('error', () => undefined).on('close', () => open.delete(socket))
      })
      .listen(socketPath)
    await once(server, 'listening')
    // As the Engine, it closes no connection that is idle.
    server.keepAliveTimeout = 0
    const end = async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
    return { end, open, accepted: () => accepted }
  }

  async function socketPath(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'stagerd-agent-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    return join(directory, 'engine.sock')
  }

  it('are kept for requests that follow, a few of them, and not for long', async () => {
    const path = await socketPath()
    const { open, accepted, end } = await listen(path)
    onTestFinished(end)
    const engine = connectEngine({ socketPath: path })
    for (let turn = 0; turn < 5; turn++) await engine.info()
    expect(accepted()).toBe(1)
    await Promise.all(Array.from({ length: 20 }, () => engine.info()))
    await expect.poll(() => open.size).toBeLessThanOrEqual(4)
    await expect.poll(() => open.size, { timeout: 5_000 }).toBe(0)
  })

  it('are not kept to an Engine that has ended: the one after it is asked at once', async () => {
    const path = await socketPath()
    const first = await listen(path)
    const engine = connectEngine({ socketPath: path })
    await engine.info()
    expect(first.open.size).toBe(1)
    await first.end()
    const second = await listen(path)
    onTestFinished(second.end)
    await expect(engine.info()).resolves.toEqual({})
  })

  it('are not what a ping goes over: an Engine that ends its containers answers, but takes no new ones', async () => {
    const path = await socketPath()
    const { end } = await listen(path)
    onTestFinished(end)
    const engine = connectEngine({ socketPath: path })
    await engine.info()
    await rm(path)
    await expect(pingEngine(engine)).rejects.toMatchObject({
      code: 'engine-down',
      message: expect.stringContaining('ENOENT') as string,
    })
    await expect(engine.info()).resolves.toEqual({})
  })

  it('outlive no request that is given up', async () => {
    const path = await socketPath()
    const { open, end } = await listen(path, () => undefined)
    onTestFinished(end)
    const engine = connectEngine({ socketPath: path })
    const over = new AbortController()
    const waiting = engine.getContainer('c').wait({ abortSignal: over.signal })
    await expect.poll(() => open.size).toBe(1)
    over.abort()
    await expect(waiting).rejects.toThrow()
    await expect.poll(() => open.size).toBe(0)
  })

  it('to an address that nobody can have fail with the request', async () => {
    const engine = new Docker({ protocol: 'http', host: '127.0.0.1', port: 80 })
    const agent = engineAgent('http') as unknown as { readonly options: object }
    Object.assign(agent.options, { port: 70_000 })
    Object.assign(engine.modem, { agent })
    await expect(engine.info()).rejects.toThrow(/port/i)
  })

  it('are not taken from others by an abort that comes after the answer', async () => {
    const path = await socketPath()
    const answers: (() => void)[] = []
    const { accepted, end } = await listen(path, ({ url }, response) => {
      if (url?.endsWith('/wait') === true) response.end('{}')
      else answers.push(() => response.end('{}'))
    })
    onTestFinished(end)
    const engine = connectEngine({ socketPath: path })
    const over = new AbortController()
    await engine.getContainer('c').wait({ abortSignal: over.signal })
    const asked = engine.info()
    await expect.poll(() => answers.length).toBe(1)
    over.abort()
    answers[0]!()
    await expect(asked).resolves.toEqual({})
    expect(accepted()).toBe(1)
  })
})
