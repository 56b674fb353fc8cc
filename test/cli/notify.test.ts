import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { aDetection, aPackage, aPipeline, aStaging } from './support/documents.js'
import { FakeProblem, notFound, takeResource, type FakeApi } from './support/fake-api.js'
import { useHarness } from './support/harness.js'
import { writeTree } from './support/workspace.js'

const harness = useHarness()

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const URLS = ['https://ci.example.org/staged', 'https://chat.example.org/hook?key=sesame']

function staging(api: FakeApi): FakeApi {
  return api
    .on('GET /v1/packages/:ref', () => notFound('package'))
    .on('GET /v1/stagingpipelines/:ref', () => aPipeline())
    .on('POST /v1/detections', () => aDetection())
    .on('GET /v1/stagers', () => [])
    .on('POST /v1/webhooks/check', (_request, response) => void response.writeHead(204).end())
    .on('POST /v1/resources', takeResource)
    .on('POST /v1/packages', () => aPackage({ state: 'uploaded' }))
    .on('POST /v1/stagings', () => aStaging())
}

const site = () => writeTree(path.join(harness().root, 'site'), { 'index.html': '<h1>hi</h1>' })

describe('stage --notify', () => {
  test('names receivers, with the secret of a file, which is shown nowhere', async () => {
    const { api, run, root } = harness()
    staging(api)
    await writeFile(path.join(root, 'secret'), `${SECRET}\n`)
    const options = URLS.flatMap((url) => ['--notify', url])
    const { code, io } = await run('stage', await site(), '--detach', ...options, '--notify-secret', 'secret')
    expect(code).toBe(0)
    const notify = URLS.map((url) => ({ url, secret: SECRET }))
    expect(api.sent('POST /v1/stagings')).toMatchObject({ notify })
    expect(api.sent('POST /v1/webhooks/check')).toEqual({ notify })
    expect(io.out + io.err).not.toMatch(/whsec_|sesame/)
  })

  test.each([
    [['--notify', URLS[0]!], '--notify needs --notify-secret FILE, a secret that the receiver knows, too'],
    [['--notify-secret', 'secret'], '--notify-secret is the secret of --notify URL: give both, or none.'],
  ])('asks for both: %j', async (options, message) => {
    const { code, io } = await harness().run('stage', await site(), ...options)
    expect([code, io.err]).toEqual([2, expect.stringContaining(message)])
    expect(harness().api.requested).toEqual([])
  })

  test('sends no source for a receiver that the daemon refuses, or a secret that is not there', async () => {
    const { api, run, root } = harness()
    staging(api).on('POST /v1/webhooks/check', () => {
      throw new FakeProblem(403, 'address-not-listed', 'The address is private: use another.')
    })
    const options = ['--notify', 'https://10.0.0.1/', '--notify-secret', 'secret']
    expect((await run('stage', await site(), ...options)).io.err).toContain('give the path of a file with the secret')
    await writeFile(path.join(root, 'secret'), SECRET)
    const { io } = await run('stage', await site(), ...options)
    expect(io.err).toContain('The address is private')
    expect(api.requested.filter((one) => /resources|packages$|stagings$/.test(one))).toEqual([])
  })
})
