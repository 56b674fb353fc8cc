import { chmod, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { once } from 'node:events'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CleanupStack } from '../../base/cleanup-stack.js'
import { stagectl } from '../../cli/stagectl.js'
import { TokenCallers } from '../../daemon/access/callers.js'
import { ControlListener } from '../../daemon/control-address.js'
import { makeToken } from '../daemon/api/access-requests.js'
import { ApiUnderTest } from '../daemon/api/api-under-test.js'
import { Authority } from '../support/certificates.js'
import { freePort } from '../support/free-port.js'
import { CapturedIo } from './support/captured-io.js'
import { makeWorkspace } from './support/workspace.js'

describe('stagectl and a TCP address', () => {
  const undo = new CleanupStack()
  let under: ApiUnderTest
  let root: string
  let ca: string
  let tokens: Readonly<Record<'administrator' | 'read' | 'expired', string>>
  let address: string
  let others: Readonly<Record<'expired' | 'untrusted' | 'named' | 'plain' | 'closed', string>>
  beforeAll(async () => {
    const workspace = await makeWorkspace()
    root = workspace.root
    undo.defer('remove the workspace', workspace.remove)
    under = await ApiUnderTest.open({ callers: (store) => new TokenCallers(store.tokens) })
    undo.defer('close the API', () => under.close())
    await under.api.ready()
    const authority = await Authority.make(root)
    const stranger = await Authority.make(root, 'stranger')
    ca = authority.certificate
    const serve = async (files: Awaited<ReturnType<Authority['issue']>>) => {
      const port = await freePort()
      await ControlListener.listen(under.api, { host: '127.0.0.1', port, ...files }, undo)
      return `https://localhost:${port}`
    }
    address = await serve(await authority.issue('host'))
    const plain = createServer((_request, response) => response.end()).listen(0, '127.0.0.1')
    await once(plain, 'listening')
    undo.defer('close the server without TLS', () => void plain.close())
    others = {
      expired: await serve(await authority.issue('expired', { days: -1 })),
      untrusted: await serve(await stranger.issue('strange')),
      named: await serve(await authority.issue('named', { names: 'DNS:stagerd.example.org' })),
      plain: `https://localhost:${(plain.address() as { port: number }).port}`,
      // A free port could be taken by another test meanwhile.
      closed: 'https://localhost:1',
    }
    tokens = {
      administrator: await makeToken(under, { access: 'administrator', namespaces: [] }),
      read: await makeToken(under, { name: 'watcher', access: 'read', namespaces: ['/acme'] }),
      expired: await makeToken(under, {
        name: 'old',
        access: 'read',
        namespaces: ['/acme'],
        expiresAt: '2020-06-01T00:00:00.000Z',
      }),
    }
  })
  afterAll(() => undo.run())
  beforeEach(() => rm(path.join(root, 'config'), { recursive: true, force: true }))

  const run = async (argv: readonly string[], env: Record<string, string> = {}, input = '') => {
    const io = new CapturedIo(root, { env })
    io.stdin.end(input)
    return { code: await stagectl(argv, io), out: io.out, err: io.err }
  }
  const contexts = () => path.join(root, 'config/stagerd/contexts.toml')

  it('a context keeps an address, an authority, a token and a namespace', async () => {
    const add = ['context', 'add', 'prod', '--address', address, '--ca', ca, '--namespace', '/acme', '--token-stdin']
    expect(await run(add, {}, `${tokens.administrator}\n`)).toMatchObject({
      code: 0,
      out: 'Added prod, which is the current context.\n',
    })
    expect((await stat(contexts())).mode & 0o777).toBe(0o600)
    expect(await readFile(contexts(), 'utf8')).not.toContain(tokens.administrator)
    expect((await stat(path.join(root, 'config/stagerd/tokens/prod'))).mode & 0o777).toBe(0o600)

    const made = await run(['token', 'create', 'ci', '--write'])
    expect(made.out).toMatch(/^stagerd_[\w-]{43}\n$/)
    expect(made.err).toMatch(/^ci may read and change \/acme until .*\. The token is not shown again\.\n$/)
    const ci = { STAGERD_TOKEN: made.out }
    expect(await run(['package', 'list'], ci)).toMatchObject({ code: 0, out: 'No matching packages in /acme.\n' })
    await writeFile(path.join(root, 'lib.tar.gz'), gzipSync(Buffer.alloc(1024)))
    const fromFile = ['package', 'from-file', 'lib.tar.gz', '--namespace', '/']
    expect(await run([...fromFile, '/acme/pkg::lib'], ci)).toMatchObject({ code: 0 })
    expect(await run([...fromFile, '/other::lib'], ci)).toMatchObject({
      code: 5,
      err: 'stagectl: The token "ci" may not change anything in "/other": it is for /acme, so use a token for that namespace (`stagectl token create --scope`).\n',
    })
    expect((await run(['package', 'list'], ci)).out).toContain('package::/acme/pkg::lib')
    expect((await run(['token', 'list'])).out).toMatch(/^ci +write +\/acme +20/m)
    expect(await run(['token', 'revoke', 'ci'])).toMatchObject({ code: 0, out: 'Revoked the token ci.\n' })
    expect(await run(['package', 'list'], ci)).toMatchObject({ code: 5 })
  })

  it('contexts are chosen by an option, a variable, or the current one', async () => {
    const token = path.join(root, 'token')
    await writeFile(token, tokens.read, { mode: 0o600 })
    await run(['context', 'add', 'one', '--address', others.closed])
    await run(['context', 'add', 'two', '--address', address, '--ca', ca, '--token-file', 'token'])
    expect((await run(['context', 'list'])).out).toMatch(/^\* +one .*\n +two /m)
    expect(await run(['package', 'list'])).toMatchObject({ code: 3 })
    expect(await run(['package', 'list', '--context', 'two'])).toMatchObject({ code: 0 })
    expect(await run(['package', 'list'], { STAGERD_CONTEXT: 'two' })).toMatchObject({ code: 0 })
    expect((await run(['package', 'list', '--context', 'local'])).err).toContain('/run/stagerd/stagerd.sock')
    expect((await run(['package', 'list'], { STAGERD_CONTEXT: 'two', STAGERD_SOCKET: '/no.sock' })).err).toContain(
      'No stagerd answers at /no.sock',
    )
    expect(await run(['context', 'use', 'two'], { STAGERD_SOCKET: '/no.sock' })).toMatchObject({
      out: 'The current context is two.\n',
      err: 'STAGERD_SOCKET is set, and comes before the current context.\n',
    })
    expect(await run(['package', 'list'])).toMatchObject({ code: 0 })
    expect((await run(['context', 'remove', 'two'])).out).toBe('Removed two. The current context is local.\n')
    expect(await run(['package', 'list', '--context', 'two'])).toMatchObject({
      code: 4,
      err: 'stagectl: There is no context "two": see `stagectl context list`.\n',
    })
  })

  it('a file that others can read is not used', async () => {
    const token = path.join(root, 'open-token')
    await writeFile(token, tokens.read)
    await run(['context', 'add', 'prod', '--address', address, '--ca', ca])
    await chmod(contexts(), 0o644)
    expect((await run(['package', 'list'])).err).toMatch(/contexts\.toml" has mode 644, .* set it with chmod 600\.\n$/)
    await chmod(contexts(), 0o600)
    await run(['context', 'add', 'prod', '--address', address, '--ca', ca, '--token-file', token])
    expect((await run(['package', 'list'])).err).toMatch(/open-token" has mode 644, .* set it with chmod 600\.\n$/)
  })

  it('what goes wrong is one sentence with the way out, and never a token', async () => {
    const at = (url: string, ...more: string[]) => ['package', 'list', '--address', url, ...more]
    const trusting = (url: string) => at(url, '--ca', ca)
    const wrong = `stagerd_${'x'.repeat(43)}`
    const give =
      'set STAGERD_TOKEN, or give the context a token with `stagectl context add`; an administrator makes one with `stagectl token create`.'
    const rows: [argv: string[], token: string, code: number, says: string][] = [
      [trusting(address), '', 5, `stagerd asks for a token at this address: ${give}`],
      [trusting(address), wrong, 5, `stagerd does not know the token, which is mistyped or was revoked: ${give}`],
      [trusting(address), tokens.expired, 5, `The token "old" expired at 2020-06-01T00:00:00.000Z: ${give}`],
      [
        trusting(address),
        'secret',
        4,
        'STAGERD_TOKEN has no token: a token begins with stagerd_, and 43 letters, digits, - or _ follow.',
      ],
      [
        ['package', 'delete', 'package::/acme::app', '--address', address, '--ca', ca],
        tokens.read,
        4,
        'There is no package package::/acme::app: see `stagectl package list`.',
      ],
      [
        ['namespace', '/acme', '--address', 'http://localhost:1'],
        '',
        4,
        'The address is not of the form https://stagerd.example.org:7300: write https, a host and a port, and nothing else; with commas between the addresses of several nodes.',
      ],
      [
        ['policy', 'list', '--address', address, '--ca', ca],
        tokens.read,
        5,
        'The token "watcher" may not do this, because it concerns the node as a whole: use a token of an administrator (`stagectl token create --administrator`), or the control socket of the node.',
      ],
      [
        at(others.untrusted, '--ca', ca),
        '',
        3,
        `The certificate of ${others.untrusted} comes from an authority that is not trusted here: give the certificate of that authority with --ca FILE, also in \`stagectl context add\`.`,
      ],
      [
        trusting(others.expired),
        '',
        3,
        `The certificate of ${others.expired} has expired: have it renewed on that node.`,
      ],
      [
        trusting(others.named),
        '',
        3,
        `The certificate of ${others.named} is not for localhost, but for DNS:stagerd.example.org: use a name that it has, or have it made for this one.`,
      ],
      [
        trusting(others.plain),
        '',
        3,
        `${others.plain} does not speak TLS 1.2 or later: give the address that control-address has in the settings of the node.`,
      ],
      [
        trusting(others.closed),
        '',
        3,
        `No stagerd answers at ${others.closed}: correct the address, or set control-address in the settings of that node.`,
      ],
      [
        at(address, '--ca', 'token.txt'),
        '',
        4,
        `"${root}/token.txt" cannot be used: it does not exist; give --ca the certificate of an authority, in PEM.`,
      ],
      [at(address, '--context', 'x'), '', 2, '--socket, --address and --context exclude each other: give one of them.'],
      [['package', 'list', '--ca', ca], '', 2, '--ca is for an address: give the address, too, with --address.'],
    ]
    for (const [argv, token, code, says] of rows) {
      const { code: exit, out, err } = await run(argv, { STAGERD_TOKEN: token })
      expect({ argv, exit, err }).toEqual({ argv, exit: code, err: `stagectl: ${says}\n` })
      if (token !== '') expect(out + err.replaceAll('has no token: a token', '')).not.toContain(`${token} `)
    }
  })
})
