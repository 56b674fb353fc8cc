import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Docker from 'dockerode'
import { describe, expect, it, onTestFinished, test } from 'vitest'
import { assertNotBehindSsh, pingEngine } from '../../../isolation/engine/connect.js'

test('an Engine behind SSH is refused, because it is on another host', () => {
  expect(() => assertNotBehindSsh('ssh://root@build.example')).toThrow(
    /^DOCKER_HOST is ssh:\/\/root@build\.example, but .* unix:\/\/\/var\/run\/docker\.sock\.$/,
  )
})

test.each([undefined, '', 'unix:///var/run/docker.sock', 'tcp://127.0.0.1:2375'])('DOCKER_HOST may be %s', (host) => {
  expect(() => assertNotBehindSsh(host)).not.toThrow()
})

describe('an Engine that is asked whether it works', () => {
  /** Answers with these components. */
  async function engineWith(...components: string[]): Promise<Docker> {
    const document = { Version: '28.5.2', Components: components.map((Name) => ({ Name, Version: '1' })) }
    const server = createServer((_, response) => {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(document))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    return new Docker({ protocol: 'http', host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  }

  it('does', async () => {
    await pingEngine(await engineWith('Engine', 'containerd', 'runc', 'docker-init'))
  })

  it('does not without containerd', async () => {
    const ping = pingEngine(await engineWith('Engine', 'runc', 'docker-init'))
    await expect(ping).rejects.toMatchObject({
      code: 'engine-down',
      message: expect.stringContaining('containerd') as string,
    })
  })
})
