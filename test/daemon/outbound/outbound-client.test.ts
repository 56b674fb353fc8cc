import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { connect, type AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { LookUp } from '../../../daemon/outbound/guarded-connector.js'
import { OutboundClient } from '../../../daemon/outbound/outbound-client.js'
import { parseNetworks } from '../../../daemon/settings/parse-networks.js'
import { Authority } from '../../support/certificates.js'
import { answering, WebhookReceiver } from '../../support/webhook-receiver.js'
import { temporaryDirectory } from '../store/temporary-directory.js'

function clientFor(
  networks: string,
  options: Partial<ConstructorParameters<typeof OutboundClient>[0]> = {},
): OutboundClient {
  const client = new OutboundClient({
    networks: parseNetworks(networks),
    setting: 'webhook-networks',
    ...options,
  })
  onTestFinished(() => client.close())
  return client
}

/** The status, or the code of the refusal. */
async function ask(client: OutboundClient, url: string): Promise<unknown> {
  try {
    const answer = await client.request(url, {
      method: 'POST',
      headers: {},
      body: 'hello',
      signal: AbortSignal.timeout(10_000),
    })
    await answer.body.dump()
    return answer.statusCode
  } catch (error) {
    return (error as { code?: string }).code
  }
}

/** A resolver with these answers, one after the other; the last one stays. */
function resolverOf(...answers: readonly (readonly string[])[]): LookUp {
  const left = [...answers]
  return (_hostname, _options, callback) => {
    const addresses = (left.length > 1 ? left.shift() : left[0]) ?? []
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  }
}

const named = (url: string) => url.replace('127.0.0.1', 'hooks.example.org')

describe('a client for requests of the daemon', () => {
  it('reaches this host only when its network is listed', async () => {
    const receiver = await WebhookReceiver.open()
    expect(await ask(clientFor(''), receiver.url)).toBe('address-not-listed')
    expect(await ask(clientFor('10.0.0.0/8'), receiver.url.replace('127.0.0.1', 'localhost'))).toBe(
      'address-not-listed',
    )
    expect(receiver.received).toEqual([])
    expect(await ask(clientFor('127.0.0.0/8'), receiver.url)).toBe(204)
  })

  it.each(['127.1', '2130706433', '0x7f000001', '0177.0.0.1', '[::ffff:127.0.0.1]', '[::1]'])(
    'knows this host as %s, too',
    async (host) => {
      const receiver = await WebhookReceiver.open()
      expect(await ask(clientFor(''), receiver.url.replace('127.0.0.1', host))).toBe('address-not-listed')
    },
  )

  it('judges the address that it connects to: a name that is looked up again makes no difference', async () => {
    const receiver = await WebhookReceiver.open()
    const client = clientFor('127.0.0.0/8', { lookUp: resolverOf(['127.0.0.1'], ['169.254.169.254']) })
    expect(await ask(client, named(receiver.url))).toBe(204)
    // No connection is kept that was judged before.
    expect(await ask(client, named(receiver.url))).toBe('address-forbidden')
  })

  it('leaves out the addresses of a name that are not allowed', async () => {
    const receiver = await WebhookReceiver.open()
    const client = clientFor('127.0.0.1/32', { lookUp: resolverOf(['10.0.0.1', 'fe80::1', '127.0.0.1']) })
    expect(await ask(client, named(receiver.url))).toBe(204)
  })

  it('does not follow redirects', async () => {
    const receiver = await WebhookReceiver.open(answering(302, { location: 'http://169.254.169.254/' }))
    expect(await ask(clientFor('127.0.0.0/8'), receiver.url)).toBe(302)
    expect(receiver.received).toHaveLength(1)
  })

  it.each(['ftp://example.org/', 'file:///etc/passwd', 'example.org', 'https://user:secret@example.org/', 'http://'])(
    'refuses the URL %s without repeating it',
    (url) => {
      const refused = () => clientFor('').parse(url)
      expect(refused).toThrow(expect.objectContaining({ code: 'bad-url' }) as Error)
      expect(refused).not.toThrow(/secret|passwd/)
    },
  )

  it('does not tell the address of a name in a refusal', async () => {
    const client = clientFor('', { lookUp: resolverOf(['10.11.12.13']) })
    const refused = client.request('http://internal.example.org/', {
      ...{ method: 'GET', headers: {}, signal: AbortSignal.timeout(10_000) },
    })
    await expect(refused).rejects.toThrow(
      'The address of "internal.example.org" is private: use a public one, or have its network listed in the setting webhook-networks of stagerd.',
    )
  })

  it('uses a proxy, but for addresses that it may not reach and for exceptions', async () => {
    const receiver = await WebhookReceiver.open()
    const asked: string[] = []
    const proxy = createServer()
    proxy.on('connect', (request, socket, head) => {
      asked.push(request.url ?? '')
      const target = connect(Number(new URL(receiver.url).port), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        target.write(head)
        target.pipe(socket).pipe(target)
      })
      for (const one of [socket, target]) one.on('error', () => target.destroy())
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    onTestFinished(() => {
      proxy.close().closeAllConnections()
    })
    const http = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const client = clientFor('', { proxies: { http, https: undefined, exceptions: 'direct.example.org' } })
    // The proxy looks the name up, and is itself not judged.
    expect(await ask(client, 'http://hooks.example.org/')).toBe(204)
    expect(asked).toEqual(['hooks.example.org:80'])
    expect(await ask(client, 'http://10.0.0.1/')).toBe('address-not-listed')
    expect(await ask(client, 'http://direct.example.org/')).not.toBe(204)
    expect(asked).toHaveLength(1)
  })
})

describe('a receiver with a certificate of a private authority', () => {
  async function open() {
    const directory = await temporaryDirectory()
    const authority = await Authority.make(directory.path)
    const { certificate, key } = await authority.issue('receiver')
    const server = createSecureServer({ cert: await readFile(certificate), key: await readFile(key) }, (_, response) =>
      response.writeHead(204).end(),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(async () => {
      server.closeAllConnections()
      server.close()
      await directory.remove()
    })
    return { port: (server.address() as AddressInfo).port, authorities: await readFile(authority.certificate, 'utf8') }
  }

  it('is reached with its authority, directly and through a proxy, and not without', async () => {
    const { port, authorities } = await open()
    const url = `https://localhost:${port}/`
    const http = await proxyTo(port)
    const proxies = { http, https: http, exceptions: undefined }
    const statuses = []
    for (const options of [{}, { authorities }, { proxies }, { proxies, authorities }])
      statuses.push(await ask(clientFor('127.0.0.0/8', options), url))
    const refused = expect.stringMatching(/SELF_SIGNED|UNABLE_TO_/) as unknown
    expect(statuses).toEqual([refused, 204, refused, 204])
  })
})

/** The URL of a proxy that connects to this port, whatever it is asked for. */
async function proxyTo(port: number): Promise<string> {
  const proxy = createServer()
  proxy.on('connect', (_request, socket, head) => {
    const target = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      target.write(head)
      target.pipe(socket).pipe(target)
    })
    for (const end of [socket, target]) end.on('error', () => undefined)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  onTestFinished(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
}
