import { once } from 'node:events'
import { createServer, request as sendRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, it, onTestFinished } from 'vitest'
import { RequestBody } from '../../../daemon/http/request-body.js'

it('the body of a request that was closed before it is read is cut short at once', async () => {
  const server = createServer()
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = sendRequest({ port, host: '127.0.0.1', method: 'POST', headers: { 'content-length': 10 } })
  client.on('error', () => undefined)
  client.write('half')
  const [request] = (await once(server, 'request')) as [IncomingMessage]
  const closed = new Promise((resolve) => request.on('error', () => undefined).once('close', resolve))
  client.destroy()
  await closed
  // The limit on the rate would end it, but only after this time.
  const body = new RequestBody(request, { bytes: 1, windowMs: 600_000 })
  await expect(text(body)).rejects.toMatchObject({ code: 'body-cut-short' })
})
