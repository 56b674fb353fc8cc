import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RunEvent } from '../../daemon/documents/run.js'
import { documentOf } from '../daemon/api/api-client.js'
import { tarOf, type TarMember } from '../support/tar-builder.js'
import { readTar } from './support/read-tar.js'
import { useHarness } from './support/harness.js'
import { RealApi } from './support/real-api.js'

const RUN = '7c9e6679-7425-40de-944b-e07fc1f90ae7'
const STARTUP = '#!/bin/bash\n# Dependencies: runtime.ruby-3.1 os.linux\ncd app\n'
const script = (name: string, data = '#!/bin/bash\n'): TarMember => ({ name, data, mode: 0o500, uid: 1000, gid: 1000 })
const PARTS: readonly TarMember[] = [
  ...['logs/', 'tmp/', 'app/'].map((name) => ({ name, type: '5', mode: 0o755 })),
  script('startup', STARTUP),
  script('stop'),
  { name: 'app/app.rb', data: 'puts 1' },
]

describe('droplet run', () => {
  const harness = useHarness()

  const events = (response: ServerResponse, ...list: readonly RunEvent[]) => {
    for (const event of list) response.write(`${JSON.stringify(event)}\n`)
    return response
  }
  const stored = { sha256: 'b'.repeat(64), length: 9, entries: 6 }
  const recorded = [{ type: 'runtime', name: 'ruby-3.1' }]

  const runs = (dependencies: object[] = recorded) => {
    const { api } = harness()
    api.on('POST /v1/droplets', (_request, response) => {
      response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ ...stored, dependencies }))
    })
    api.on('POST /v1/droplet-runs', (_request, response) => {
      const output = { event: 'output', stream: 'stdout', data: Buffer.from('up\n').toString('base64') } as const
      const started: RunEvent = { event: 'started', run: RUN, ports: [32768] }
      events(response, started, output, { event: 'ended', exit_code: 7, reason: 'exited' }).end()
    })
    return api
  }
  const fileOf = (name: string, content: Buffer | string) => writeFile(path.join(harness().root, name), content)

  test('uploads the droplet, and runs it on what it records', async () => {
    const api = runs()
    await fileOf('my shop.tgz', gzipSync(tarOf(...PARTS)))
    await fileOf('services.json', '{"mysql": [{"name": "db"}]}')
    const { code, io } = await harness().run(
      ...['--namespace', '/acme', 'droplet', 'run', 'my shop.tgz', '--publish', '3000', '-e', 'A=b'],
      ...['--services', 'services.json', '--memory', '64MB', '--allow-egress'],
    )
    expect({ code, out: io.out, err: io.err }).toEqual({
      ...{ code: 7, out: 'up\n' },
      err: 'Port 3000 is published at http://127.0.0.1:32768\nmy-shop ended with exit code 7.\n',
    })
    const upload = api.requests.find(({ path: asked }) => asked === '/v1/droplets')
    expect(upload?.query.get('namespace')).toBe('/acme')
    expect(upload?.body).toEqual(gzipSync(tarOf(...PARTS)))
    expect(api.sent('POST /v1/droplet-runs')).toEqual({
      ...{ droplet: stored.sha256, name: 'my-shop', namespace: '/acme', dependencies: recorded },
      ...{ environment: { A: 'b' }, services: { mysql: [{ name: 'db' }] }, allow_egress: true },
      ...{ publish: [{ host_port: 0, container_port: 3000 }], limits: { memory_bytes: 64 * 1024 ** 2 } },
    })
  })

  test('prefers the runtime that the user chooses', async () => {
    const api = runs()
    await fileOf('shop.tgz', gzipSync(tarOf(...PARTS)))
    await harness().run('droplet', 'run', 'shop.tgz', '--runtime', 'ruby-2.7', '--depends-on', 'os.debian-12')
    expect(api.sent('POST /v1/droplet-runs')).toMatchObject({
      dependencies: [
        { type: 'runtime', name: 'ruby-2.7' },
        { type: 'os', name: 'debian-12' },
      ],
    })
  })

  test.each([
    ['{', 'is not JSON'],
    ['[]', 'is no object'],
    ['{"mysql": {}}', 'has no array at "mysql"'],
  ])('refuses %s as services before anything is sent', async (text, why) => {
    await fileOf('services.json', text)
    const { code, io } = await harness().run('droplet', 'run', 'shop.tgz', '--services', 'services.json')
    expect(code).toBe(4)
    expect(io.err).toContain(`"services.json" ${why}`)
    expect(harness().api.requests).toEqual([])
  })
})

describe('a file that is no droplet is refused at its upload, and nothing of it is stored:', () => {
  let real: RealApi
  beforeAll(async () => {
    real = await RealApi.open()
  })
  afterAll(() => real.close())

  const refusal = async (...members: readonly TarMember[]) => {
    await writeFile(path.join(real.root, 'bad.tgz'), gzipSync(tarOf(...members)))
    const { code, io } = await real.run(['droplet', 'run', 'bad.tgz'])
    expect(await real.api.storedBlobs()).toEqual([])
    expect(code).toBe(4)
    return io.err
  }
  const without = (name: string) => PARTS.filter((one) => one.name !== name)

  test.each<[what: string, said: string, members: readonly TarMember[]]>([
    ['no startup', 'it has no file "startup", which starts the application', without('startup')],
    ['no stop', 'it has no file "stop", which ends the application', without('stop')],
    ['no app', 'it has no directory "app"', [script('startup'), script('stop')]],
    [
      'startup as a link',
      'its "startup" is a symbolic link, and must be a file of its own',
      [...without('startup'), { name: 'startup', type: '2', linkName: 'app/app.rb' }],
    ],
    [
      'startup as a hard link',
      'its "startup" is a hard link, and must be a file of its own',
      [...without('startup'), { name: 'startup', type: '1', linkName: 'app/app.rb' }],
    ],
    [
      'stop as a directory',
      'its "stop" is a directory, and must be a file of its own',
      [...without('stop'), { name: 'stop/x', data: 'x' }],
    ],
    [
      'startup that nobody may execute',
      'its "startup" cannot be executed by its owner: give it the mode 0500',
      [...without('startup'), { ...script('startup'), mode: 0o644 }],
    ],
    [
      'app as a link',
      'its "app" is a symbolic link, and must be a directory',
      [script('startup'), script('stop'), { name: 'app', type: '2', linkName: '/etc' }],
    ],
    [
      'logs as a link',
      'its "logs" is a symbolic link, and must be a directory',
      [...without('logs/'), { name: 'logs', type: '2', linkName: '/etc' }],
    ],
    ['a device', 'Entry "app/disk"', [...PARTS, { name: 'app/disk', type: '4', device: [8, 0] }]],
    ['a path that climbs out', 'Entry "../x"', [...PARTS, { name: '../x', data: 'x' }]],
    [
      'a link that is written through',
      'Entry "app/out/x"',
      [...PARTS, { name: 'app/out', type: '2', linkName: '/etc' }, { name: 'app/out/x', data: 'x' }],
    ],
  ])('%s', async (_what, said, members) => {
    const sentence = await refusal(...members)
    expect(sentence).toContain(said)
    expect(sentence.trim().split('\n')).toHaveLength(1)
  })

  test('and what says nothing of what it runs on, without a runtime', async () => {
    const { document } = await real.api.ask('POST', '/v1/droplet-runs', {
      ...{ droplet: 'x', name: 'shop', namespace: '/', dependencies: [] },
    })
    expect(document).toMatchObject({ status: 400, code: 'bad-digest' })
  })
})

describe('a droplet that is uploaded', () => {
  let real: RealApi
  beforeAll(async () => {
    real = await RealApi.open()
  })
  afterAll(() => real.close())

  const send = async (members: readonly TarMember[]) => {
    const { request, answer } = await real.api.connect('POST', '/v1/droplets', {
      'content-type': 'application/octet-stream',
    })
    request.end(gzipSync(tarOf(...members)))
    return await documentOf(await answer)
  }

  test('tells what it records, and is stored as the user that runs it would have unpacked it', async () => {
    const { sha256, dependencies } = await send(PARTS)
    expect(dependencies).toEqual([
      { type: 'runtime', name: 'ruby-3.1' },
      { type: 'os', name: 'linux' },
    ])
    const { stream } = await real.api.blobs.open(String(sha256))
    const entries = await readTar(stream)
    expect(
      entries.map(({ header }) => `${header.mode.toString(8)} ${header.uid}:${header.gid} ${header.name}`),
    ).toEqual([
      '755 99:99 home/vcap',
      '755 99:99 home/vcap/logs',
      '755 99:99 home/vcap/tmp',
      '755 99:99 home/vcap/app',
      '500 99:99 home/vcap/startup',
      '500 99:99 home/vcap/stop',
      '644 99:99 home/vcap/app/app.rb',
    ])
  })

  test.each([
    ['nothing is recorded', '#!/bin/bash\n'],
    ['what is recorded makes no sense', '#!/bin/bash\n# Dependencies: x runtime. \u0007 ruby\n'],
  ])('has no dependencies if %s', async (_what, startup) => {
    const { dependencies } = await send(PARTS.map((one) => (one.name === 'startup' ? script('startup', startup) : one)))
    expect(dependencies).toEqual([])
  })
})
