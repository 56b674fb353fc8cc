import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CleanupStack } from '../../base/cleanup-stack.js'
import { runProcess } from '../../base/run-process.js'
import { TokenCallers } from '../../daemon/access/callers.js'
import { ControlListener } from '../../daemon/control-address.js'
import { Authority } from '../support/certificates.js'
import { freePort } from '../support/free-port.js'
import { makeToken } from './api/access-requests.js'
import { ApiUnderTest } from './api/api-under-test.js'

/** Prints the status and the names of the packages. */
const PYTHON = `
import json, ssl, sys, urllib.error, urllib.request
url, ca, token = sys.argv[1:4]
request = urllib.request.Request(url, headers={'Authorization': 'Bearer ' + token})
try:
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=ca)) as answer:
        print(answer.status, [one['fqn'] for one in json.load(answer)])
except urllib.error.HTTPError as error:
    print(error.code, json.load(error)['code'])
`

describe('the control address, for clients of other languages', () => {
  const undo = new CleanupStack()
  let under: ApiUnderTest
  let authority: Authority
  let port: number
  let token: string
  const trusted: TokenCallers[] = []
  beforeAll(async () => {
    under = await ApiUnderTest.open({
      callers: ({ tokens }) => {
        const callers = new TokenCallers(tokens)
        trusted.push(callers)
        return callers
      },
    })
    trusted[0]?.trust(under.api.server)
    authority = await Authority.make(under.directory.path)
    port = await freePort()
    const files = await authority.issue('host')
    // One handler of the socket must be ready before the other server passes requests to it.
    await under.api.listen({ path: path.join(under.directory.path, 'api.sock') })
    await ControlListener.listen(under.api, { host: '127.0.0.1', port, ...files }, undo, 200)
    token = await makeToken(under, { access: 'read', namespaces: ['/acme'] })
    for (const namespace of ['/acme', '/other']) {
      const { request, answer } = await under.connect('POST', '/v1/packages', { 'content-type': 'application/json' })
      request.end(JSON.stringify({ namespace, name: 'app' }))
      // Over the socket, nobody is asked for a token.
      expect((await answer).resume().statusCode).toBe(201)
      expect(JSON.parse(under.logged.at(-1) ?? '')).toMatchObject({
        audit: { by: 'socket', operation: 'createPackage', targets: [`package::${namespace}::app`], outcome: 'done' },
      })
    }
  })
  afterAll(async () => {
    await undo.run()
    await under.close()
  })

  it('curl sees what its token may see, and nothing without one', async () => {
    const config = path.join(under.directory.path, 'curl')
    await writeFile(config, `header = "Authorization: Bearer ${token}"`, { mode: 0o600 })
    const curl = async (...args: string[]) =>
      (
        await runProcess('curl', [
          ...['--silent', '--cacert', authority.certificate, '--write-out', ' %{http_code} %{ssl_verify_result}'],
          ...args,
        ])
      ).stdout
    const url = `https://localhost:${port}/v1/packages`
    const answer = await curl('--config', config, url)
    expect(answer).toContain('package::/acme::app')
    expect(answer).not.toContain('package::/other::app')
    expect(answer).toMatch(/ 200 0$/)
    expect(await curl(url)).toMatch(/"code":"token-missing"} 401 0$/)
    expect(await curl('--config', config, '--request', 'DELETE', `${url}/x`)).toMatch(/"token-read-only"} 403 0$/)
    expect(await curl(`https://localhost:${port}/healthz`)).toBe('{"status":"ok"} 200 0')
    // 60: the certificate is not trusted. 35: the handshake failed.
    await expect(runProcess('curl', ['--silent', '--cacert', '/dev/null', url])).rejects.toThrow(/exit code (60|77)/)
    await expect(
      runProcess('curl', ['--silent', '--cacert', authority.certificate, '--tls-max', '1.1', url]),
    ).rejects.toThrow('exit code 35')
  })

  it('Python does, too', async () => {
    const python = async (secret: string) =>
      (
        await runProcess('python3', [
          '-c',
          PYTHON,
          `https://localhost:${port}/v1/packages`,
          authority.certificate,
          secret,
        ])
      ).stdout
    expect(await python(token)).toBe("200 ['package::/acme::app']")
    expect(await python('stagerd_wrong')).toBe('401 token-invalid')
  })

  it('a client that says nothing is looked for by the kernel', async () => {
    const quiet = connectTls({ port, host: '127.0.0.1', ca: readFileSync(authority.certificate) })
    await once(quiet.resume(), 'secureConnect')
    // Until all that was sent is acknowledged, it shows another timer.
    const timer = async () => {
      const filter = ['state', 'established', `sport = :${port}`, `dport = :${quiet.localPort}`]
      return (await runProcess('ss', ['-tnoH', ...filter])).stdout
    }
    await expect.poll(timer).toMatch(/timer:\(keepalive,1[0-5](?:\.\d+)?sec/)
    quiet.destroy()
  })

  it('a client that does not finish its handshake is disconnected', async () => {
    const slow = connect(port, '127.0.0.1').resume()
    slow.on('error', () => undefined)
    await once(slow, 'close')
    expect(slow.bytesRead).toBe(0)
  })
})
