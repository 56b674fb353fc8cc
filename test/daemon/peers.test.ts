import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createTls, type Server } from 'node:https'
import { createServer, type AddressInfo } from 'node:net'
import { createServer as createRawTls } from 'node:tls'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { Peers, type PeerRequest } from '../../daemon/peers/peers.js'
import { Authority, type CertificateFiles } from '../support/certificates.js'
import { temporaryDirectory } from './store/temporary-directory.js'

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let fleet: Authority
let own: CertificateFiles
beforeAll(async () => {
  directory = await temporaryDirectory()
  fleet = await Authority.make(directory.path)
  own = await fleet.issue('own', { usages: 'serverAuth,clientAuth' })
})
afterAll(() => directory.remove())

const pem = ({ certificate, key }: CertificateFiles) => ({
  cert: readFileSync(certificate, 'utf8'),
  key: readFileSync(key, 'utf8'),
})
const peers = () => new Peers(() => ({ ...pem(own), ca: readFileSync(fleet.certificate, 'utf8') }), 300)

const node = (nodeAddress: string | undefined) => ({
  ...{ uuid: 'u', name: 'build-2', labels: [], address: 'build-2:7300', nodeAddress, state: 'active' as const },
  ...{ firstSeenAt: 'F', lastSeenAt: 'L', term: 1, running: 0, concurrency: 4 },
})
const asked = (more: Partial<PeerRequest> = {}): PeerRequest => ({
  ...{ method: 'POST', path: '/', headers: {}, body: undefined, signal: new AbortController().signal },
  ...more,
})

async function listening(server: Server | ReturnType<typeof createServer>): Promise<string> {
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

it('says of a node that it does not reach where it has looked, why it failed, and when it was last seen', async () => {
  const silent = createServer((socket) => onTestFinished(() => void socket.destroy()))
  const stranger = await (await Authority.make(directory.path, 'other')).issue('stranger', { usages: 'serverAuth' })
  const elsewhere = await fleet.issue('elsewhere', { names: 'DNS:build-9', usages: 'serverAuth' })
  const cases = [
    [await listening(silent), 'it does not answer within 0.3 seconds'],
    [await listening(createTls(pem(stranger))), 'unable to verify the first certificate|signature failure'],
    [await listening(createTls(pem(elsewhere))), "does not match certificate's altnames"],
    ['no-such-host.invalid:7301', 'the name of the host is unknown|cannot be looked up'],
  ] as const
  for (const [address, reason] of cases) {
    const error = await peers()
      .ask(node(address), asked())
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'node-unreachable' })
    expect(String(error)).toMatch(
      new RegExp(`build-2 .* does not answer at ${address} \\(.*(${reason}).*\\); it was last seen at L: try again`),
    )
  }
  await expect(peers().ask(node(undefined), asked())).rejects.toThrow('That node has no node-address: set it there, or')
})

it('says of a request that was sent and not answered that it may have been done, if it changes something', async () => {
  const heard: string[] = []
  const dying = createTls(pem(own), (request) => {
    heard.push(request.method ?? '')
    request.socket.destroy()
  })
  const address = await listening(dying)
  for (const method of ['POST', 'DELETE'])
    await expect(peers().ask(node(address), asked({ method }))).rejects.toMatchObject({
      ...{ code: 'connection-lost', kind: 'unavailable' },
      message: expect.stringMatching(/build-2 .*lost before it did .*it may have been done, so look/) as string,
    })
  await expect(peers().ask(node(address), asked({ method: 'GET' }))).rejects.toMatchObject({
    ...{ code: 'connection-lost', message: expect.stringMatching(/: try again\.$/) as string },
  })
  expect(heard).toEqual(['POST', 'DELETE', 'GET'])
})

it('says where a body ends, whatever the method: what it has is no request of its own', async () => {
  const body = 'GET /smuggled HTTP/1.1\r\nhost: x\r\nstagerd-caller: socket\r\n\r\n'
  let bytes = ''
  const server = createRawTls(pem(own), (socket) => {
    socket
      .on('error', () => undefined)
      .on('data', (chunk: Buffer) => {
        bytes += chunk.toString('latin1')
        if (bytes.includes(body)) socket.end('HTTP/1.1 204 No Content\r\n\r\n')
      })
  })
  const address = await listening(server)
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST', 'PUT']) {
    bytes = ''
    await peers().ask(node(address), asked({ method, body }))
    expect(bytes.split('\r\n\r\n')[0], method).toMatch(new RegExp(`^content-length: ${body.length}$`, 'im'))
    bytes = ''
    await peers().ask(node(address), asked({ method, body: Readable.from([body]) }))
    expect(bytes.split('\r\n\r\n')[0], method).toMatch(/^transfer-encoding: chunked$/im)
  }
})

it('passes a body on as it comes, also when the answer is there before its end, and ends with its signal', async () => {
  const answers = createTls(pem(own), (request, response) => {
    response.flushHeaders()
    request.pipe(response)
  })
  const address = await listening(answers)
  const body = new PassThrough()
  const answer = await peers().ask(node(address), asked({ body }))
  body.write('one ')
  expect(String((await once(answer, 'data'))[0])).toBe('one ')
  body.end('two')
  expect(await text(answer)).toBe('two')

  const stop = new AbortController()
  const cut = await peers().ask(node(address), asked({ body: new PassThrough(), signal: stop.signal }))
  stop.abort()
  await expect(text(cut)).rejects.toThrow(/aborted/)

  const dying = await peers().ask(node(address), asked({ body: new PassThrough() }))
  answers.closeAllConnections()
  await expect(text(dying)).rejects.toThrow(/aborted/)
})
