import { once } from 'node:events'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { expect, it } from 'vitest'
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
