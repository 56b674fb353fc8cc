import { connect, type NatsConnection } from '@nats-io/transport-node'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import { readTar } from '../../cli/support/read-tar.js'
import { Controller } from '../../support/controller.js'
import { NatsServer } from '../../support/nats-server.js'
import { zipOf } from '../../support/zip-builder.js'
import { CHECKOUT, until, type PrivateDaemon } from '../support/private-daemon.js'

const IN_ORDER = ['refuses', 'detects', 'breaks', 'hangs', 'releases']
const BUILD_MS = 600_000

type Files = Readonly<Record<string, string>>

/** The seed's framework and runtime. */
const SINATRA = {
  framework_info: {
    name: 'sinatra',
    runtimes: [{ ruby18: { default: true } }, { ruby19: { default: false } }],
    detection: [{ '*.rb': '\\s*require[\\s\\(]*[\'"]sinatra(/base)?[\'"]' }, { 'config/environment.rb': false }],
  },
  runtime_info: { name: 'ruby19', executable: 'ruby', version: '1.9.3' },
}

interface Answer {
  readonly task_log: string
  readonly error?: string
}

/** The tests of buildpacks and of frameworks of Cloud Foundry, on a node with the pipelines buildpack and ruby. */
export function describeBuildpacks(node: () => PrivateDaemon): void {
  const stagectl = (...args: readonly string[]) => node().stagectl(...args)
  const show = (name: string) => node().ask<Package>('GET', `/v1/packages/${encodeURIComponent(`package::/::${name}`)}`)

  async function done(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await stagectl(...args)
    expect(exitCode, stdout + stderr).toBe(0)
    return stdout + stderr
  }

  async function application(name: string, files: Files): Promise<string> {
    const directory = path.join(node().directory, 'applications', name)
    await rm(directory, { recursive: true, force: true })
    await mkdir(directory, { recursive: true })
    for (const [file, text] of Object.entries(files)) await writeFile(path.join(directory, file), text)
    return directory
  }

  async function stage(name: string, files: Files, ...options: readonly string[]) {
    const { exitCode, stdout, stderr } = await stagectl('stage', await application(name, files), ...options)
    return { exitCode, log: stdout + stderr }
  }

  beforeAll(async () => {
    for (const name of IN_ORDER)
      await done('buildpack', 'add', name, path.join(CHECKOUT, 'test/fixtures/buildpacks', name))
  }, BUILD_MS)

  describe('buildpacks in containers', () => {
    it('are tried in their order; the first that detects the application compiles it, alone, with its cache', async () => {
      const listed = await done('buildpack', 'list')
      expect(listed.split('\n').slice(1, 6)).toEqual(
        IN_ORDER.map((name) => expect.stringContaining(` ${name} `) as string),
      )
      const first = await stage('plain', { 'plain.txt': 'hello', 'broken.txt': '' }, '--pipeline', 'buildpack')
      expect(first.log).toContain('Detected Plain by the buildpack detects')
      expect(first.log).toContain('Compiled /app for the 1. time, as runner, without the Stager API')
      expect(first.log).not.toContain('was asked to compile')
      // What compile has installed is known by its script in .profile.d.
      expect(await done('run', 'plain')).toContain('serving hello')
      const again = await stage('plain', { 'plain.txt': 'hi', 'broken.txt': '' }, '--pipeline', 'buildpack')
      expect(again.log).toContain('Compiled /app for the 2. time')

      await done(
        'buildpack',
        'add',
        'breaks',
        path.join(CHECKOUT, 'test/fixtures/buildpacks/breaks'),
        '--position',
        '1',
      )
      const other = await stage('plain', { 'plain.txt': 'hi', 'broken.txt': '' }, '--pipeline', 'buildpack')
      expect(other.log).toContain('Detected Broken by the buildpack breaks')
      // Nothing half-done is seen.
      expect(await done('run', 'plain')).toContain('serving hi')

      await done('buildpack', 'add', 'gone', path.join(CHECKOUT, 'test/fixtures/buildpacks/refuses'))
      await done('buildpack', 'remove', 'gone')
      expect(await done('buildpack', 'list')).not.toContain('gone')
    })

    it('that fail in compile fail the staging, with what they have printed', async () => {
      const { exitCode, log } = await stage('broken', { 'broken.txt': '' }, '--pipeline', 'buildpack')
      expect([exitCode, log]).toEqual([10, expect.stringContaining('There is no compiler.')])
      expect(log).toContain('bin/compile of the buildpack breaks failed with exit code 7')
    })

    it('that hang are ended by the time limit', async () => {
      await done('stager', 'update', '/apcera::buildpack', '--timeout', '8s')
      const { exitCode, log } = await stage('endless', { 'endless.txt': '' }, '--pipeline', 'buildpack')
      await done('stager', 'update', '/apcera::buildpack', '--timeout', '20m')
      expect(exitCode).not.toBe(0)
      expect(log).toContain('Waiting for nobody')
      expect(log).toContain('timeout')
    })

    it('release variables, over which those of the user go, and a start command', async () => {
      const release = (greeting: string) =>
        `default_process_types: {web: 'echo "$GREETING, $NAME"'}\nconfig_vars: {GREETING: ${greeting}, NAME: nobody}\n`
      const options = ['--buildpack', 'releases', '-e', 'NAME=you']
      expect((await stage('released', { 'release.yml': release('hello') }, ...options)).exitCode).toBe(0)
      expect(await done('run', 'released')).toContain('hello, you')
      // Those that a buildpack has set are its own the next time, too.
      expect((await stage('released', { 'release.yml': release('good day') }, ...options)).exitCode).toBe(0)
      expect(await done('run', 'released')).toContain('good day, you')
      expect((await show('released')).environment).toMatchObject({ GREETING: 'good day', NAME: 'you' })
    })

    it('whose release is hostile fail in one sentence', async () => {
      const { log } = await stage('hostile', { 'release.yml': 'a: &a [1]\nb: [*a, *a]\n' }, '--buildpack', 'releases')
      expect(log).toContain('bin/release of the buildpack releases prints what is no YAML for a release')
    })

    it('that all refuse an application fail with their names', async () => {
      const { log } = await stage('none', { x: '' }, '--pipeline', 'buildpack')
      expect(log).toContain('No buildpack detects this application; tried: breaks refuses detects hangs releases.')
    })

    it('may be a directory of the user', async () => {
      const pack = path.join(CHECKOUT, 'test/fixtures/buildpacks/detects')
      const { log } = await stage('own', { 'plain.txt': 'mine' }, '--buildpack', pack)
      expect(log).toContain('Detected Plain by the buildpack detects')
      expect(await done('run', 'own')).toContain('serving mine')
    })
  })

  describe('requests of Cloud Foundry in containers', () => {
    let nats: NatsServer
    let client: NatsConnection
    let controller: Controller

    beforeAll(async () => {
      nats = await NatsServer.open()
      await node().stop()
      await node().restart([
        ...['--cloud-foundry-nats', `nats://127.0.0.1:${nats.port}`],
        ...['--cloud-foundry-networks', '127.0.0.0/8'],
      ])
      await until('it is subscribed', async () => (await node().log()).includes('Subscribed to staging'))
      client = await connect({ servers: [`127.0.0.1:${nats.port}`] })
    }, BUILD_MS)
    afterAll(async () => {
      await client.close()
      await nats.stop()
    })

    async function ask(app: string, files: Files, properties: object): Promise<Answer> {
      controller = await Controller.open(await zipOf(Object.entries(files)))
      const request = {
        app_id: app,
        download_uri: `${controller.url}/download`,
        upload_uri: `${controller.url}/upload`,
        properties: { services: [], resources: { memory: 256, disk: 256, fds: 1024 }, ...properties },
      }
      try {
        const reply = await client.request('staging', JSON.stringify(request), { timeout: 120_000 })
        return reply.json<Answer>()
      } finally {
        await controller.close()
      }
    }

    async function startup(): Promise<string | undefined> {
      const [upload] = controller.uploads
      const entries = await readTar(Readable.from([Controller.dropletOf(upload!)]))
      return entries.find(({ header }) => header.name === 'startup')?.text
    }

    it('stage the application of the article with its framework', async () => {
      const files = {
        'hello.rb': "$LOAD_PATH.unshift 'lib'\nrequire 'sinatra'\n",
        'tool.rb': 'puts 1',
        'lib/sinatra.rb': 'puts ENV["PORT"]',
      }
      const answer = await ask('my-sinatra-app', files, SINATRA)
      expect(answer.error, answer.task_log).toBeUndefined()
      const lines = answer.task_log.replace(/^\[.*?\] /gm, '')
      expect(lines).toContain(
        'Staging application\nThe runtime "ruby19" ("1.9.3") is not there: using runtime.ruby\n-----> Using ruby 3.1',
      )
      expect(await startup()).toContain('%VCAP_LOCAL_RUNTIME% hello.rb -p $PORT')
    })

    it('answer what does not fit the framework', async () => {
      const answer = await ask('no-sinatra', { 'hello.rb': 'puts 1' }, SINATRA)
      expect(answer.error).toContain(
        'Staging plugin failed: The application is not one of the framework "sinatra", because no line of "*.rb" matches',
      )
    })

    it('stage by buildpacks, in their order, or by the one that they name', async () => {
      const answer = await ask('packed', { 'plain.txt': 'a droplet' }, {})
      expect(answer.error, answer.task_log).toBeUndefined()
      expect(answer.task_log).toContain('Compiled /app for the 1. time')
      expect(await startup()).toContain("./.buildpack-start serve'")
      const failed = await ask('packed', { 'plain.txt': '', 'broken.txt': '' }, { buildpack: 'breaks' })
      expect(failed.error).toMatch(/^Staging plugin failed: /)
      expect(failed.task_log).toContain('There is no compiler.')
    })
  })
}
