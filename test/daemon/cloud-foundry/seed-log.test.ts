import { connect } from '@nats-io/transport-node'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { furnish } from '../../docs/support/furnish.js'
import { Controller } from '../../support/controller.js'
import { DaemonInProcess } from '../../support/daemon-in-process.js'
import { NatsServer } from '../../support/nats-server.js'
import { call } from '../../support/staging-harness.js'
import { until } from '../../support/until.js'
import { zipOf } from '../../support/zip-builder.js'
import type { Answer } from './support/answers.js'

/** What an article about the older service shows for the request below. */
const LOG = `[2012-11-13 22:13:08] Setting up temporary directories
[2012-11-13 22:13:08] Downloading application
[2012-11-13 22:13:08] Unpacking application
[2012-11-13 22:13:08] Staging application
[2012-11-13 22:13:10] # Logfile created on 2012-11-13 22:13:10 -0800 by logger.rb/31641
[2012-11-13 22:13:10] Auto-reconfiguration disabled because app does not use Bundler.
[2012-11-13 22:13:10] Please provide a Gemfile.lock to use auto-reconfiguration.
[2012-11-13 22:13:10] Creating droplet
[2012-11-13 22:13:10] Uploading droplet
[2012-11-13 22:13:12] Done!
`

/** What its plug-in has printed. */
const PRINTED = LOG.split('\n')
  .slice(4, 7)
  .map((line) => line.slice('[2012-11-13 22:13:10] '.length))

const TIME = /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] /

it('the request of the article gets the log of the article, line by line', async () => {
  const nats = await NatsServer.open()
  onTestFinished(() => nats.stop())
  const controller = await Controller.open(await zipOf([['app.rb', "require 'sinatra'"]]))
  onTestFinished(() => controller.close())
  const daemon = await DaemonInProcess.start({
    cloudFoundryNats: `nats://127.0.0.1:${nats.port}`,
    cloudFoundryNetworks: '127.0.0.0/8',
  })
  onTestFinished(() => daemon.close())
  await furnish(daemon)
  await daemon.made('package', 'from-file', 'any.tar.gz', 'ruby-1.9.3', '--provides', 'runtime.ruby,runtime.ruby-1.9.3')
  await mkdir(path.join(daemon.directory, 'ruby'))
  await writeFile(path.join(daemon.directory, 'ruby/stage-ruby'), '#!/bin/any')
  await daemon.made(
    ...['stager', 'create', 'ruby', '--path', 'ruby', '--start-command', './stage-ruby'],
    ...['--depends-on', 'os.any', '--pipeline'],
  )
  daemon.isolation.stagers.set('./stage-ruby', async ({ url, print }) => {
    for (const line of PRINTED) await print(line)
    await call(
      url,
      'PUT /meta',
      new URLSearchParams({ resource: 'environment', action: 'add', key: 'START_COMMAND', value: 'ruby app.rb' }),
    )
    await call(url, 'POST /done')
  })
  await until('it is subscribed', () => daemon.said('Subscribed to staging'))

  const client = await connect({ servers: [`127.0.0.1:${nats.port}`] })
  onTestFinished(() => client.close())
  const seen: string[] = []
  client.subscribe('>', { callback: (_, { subject }) => void seen.push(subject) })
  const request = {
    app_id: 'my-sinatra-app',
    download_uri: `${controller.url}/download_unstaged_app/my-sinatra-app`,
    upload_uri: `${controller.url}/upload_droplet/my-sinatra-app/upload_id`,
    properties: {
      services: [],
      framework_info: {
        name: 'sinatra',
        runtimes: [{ ruby18: { default: true } }, { ruby19: { default: false } }],
        detection: [{ '*.rb': '\\s*require[\\s\\(]*[\'"]sinatra(/base)?[\'"]' }, { 'config/environment.rb': false }],
      },
      runtime_info: { name: 'ruby19', executable: 'ruby', version: '1.9.3' },
      resources: { memory: 256, disk: 256, fds: 1024 },
    },
  }
  const before = Math.floor(Date.now() / 1000)
  const answer: Answer = (await client.request('staging', JSON.stringify(request), { timeout: 20_000 })).json()
  const after = Date.now() / 1000

  expect(answer.error).toBeUndefined()
  const lines = answer.task_log.split('\n')
  expect(lines.map((line) => line.replace(TIME, ''))).toEqual(LOG.split('\n').map((line) => line.replace(TIME, '')))
  expect(answer.task_log.endsWith('\n')).toBe(true)
  // Local times, none before the one above it.
  const times = lines.slice(0, -1).map((line) => new Date(line.slice(1, 20).replace(' ', 'T')).getTime() / 1000)
  expect(times).toEqual([...times].sort((a, b) => a - b))
  expect([times[0]! >= before, times.at(-1)! <= after]).toEqual([true, true])
  expect(controller.uploads).toHaveLength(1)
  // The request, and its answer: nothing else is published.
  expect(seen).toHaveLength(2)
})
