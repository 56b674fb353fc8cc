import { randomBytes, randomUUID } from 'node:crypto'
import { cp, mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import { busyboxTarball, tarball } from '../support/busybox-root.js'
import { expectNothingLeft, leftovers } from '../support/leftovers.js'
import { CHECKOUT, type PrivateDaemon, until } from '../support/private-daemon.js'
import { smallRegistry, type SmallRegistryOptions } from '../support/small-registry.js'

let daemon: PrivateDaemon

/** A registry of its own for each test, with an image that no Engine has. */
async function registryOf(tree: Readonly<Record<string, string | Buffer>> | undefined, options: SmallRegistryOptions) {
  const layer = tree === undefined ? await busyboxTarball() : await tarball({ ...tree, 'etc/unique': randomUUID() })
  const registry = await smallRegistry(layer, await daemon.nodeId(), options)
  onTestFinished(() => registry.close())
  return registry
}

const packages = async () => (await daemon.ask<Package[]>('GET', '/v1/packages')).map(({ name }) => name).sort()
const show = (name: string) => daemon.ask<Package>('GET', `/v1/packages/${encodeURIComponent(`package::/::${name}`)}`)

/** What the program of a package answers over HTTP. */
async function answerOf(name: string): Promise<string> {
  const run = daemon.stagectl('run', name, '--publish', '8123')
  let said = ''
  run.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  let answer = ''
  await until('the program answers', async () => {
    const [url] = /http:\/\/\S+/.exec(said) ?? []
    if (url === undefined) return false
    answer = await fetch(url).then(
      async (response) => (response.ok ? await response.text() : ''),
      () => '',
    )
    return answer !== ''
  })
  run.kill('SIGINT')
  await run
  return answer
}

/** The tests of applications that are made of images, on a node with debian-12. */
export function describeImages(node: () => PrivateDaemon): void {
  describe('stagectl stage --image', () => {
    beforeAll(async () => {
      daemon = node()
      // As a bootstrap packs it.
      const program = path.join(daemon.directory, 'docker')
      await mkdir(program)
      for (const file of ['docker/stage', 'lib/stager.sh'])
        await cp(path.join(CHECKOUT, 'stagers', file), path.join(program, path.basename(file)))
      const made = await daemon.stagectl(
        ...['stager', 'create', '/apcera::docker', '--path', program, '--start-command', './stage'],
        ...['--depends-on', 'os.debian-12', '--pipeline'],
      )
      expect(made.exitCode, made.stderr).toBe(0)
    })

    it('makes an application of an image in a registry, which answers on $PORT', async () => {
      const serve =
        'mkdir /tmp/site && echo "$GREETING from $(pwd)" >/tmp/site/index.html && exec httpd -f -p "$PORT" -h /tmp/site'
      const { reference } = await registryOf(undefined, {
        config: {
          Cmd: ['sh', '-c', serve],
          Env: ['GREETING=hello'],
          WorkingDir: '/app',
          ExposedPorts: { '8123/tcp': {} },
        },
      })
      const before = await packages()
      const staged = await daemon.stagectl('stage', '--image', reference)
      expect(staged.exitCode, staged.stdout + staged.stderr).toBe(0)
      expect(staged.stdout).toContain('The start command is: sh -c')
      expect(staged.stderr).toContain('`stagectl run small --publish 8123:8123`')
      const made = await show('small')
      expect(made).toMatchObject({ state: 'ready', environment: { GREETING: 'hello', START_PATH: '/app' } })
      expect(made.description).toMatch(/^Docker image 127\.0\.0\.1:\d+\/small@sha256:[0-9a-f]{64}, exposes 8123\/tcp$/)
      expect(await answerOf('small')).toBe('hello from /app\n')

      const again = await daemon.stagectl('stage', '--image', reference, '-e', 'GREETING=good day')
      expect(again.exitCode, again.stderr).toBe(0)
      expect((await show('small')).uuid).toBe(made.uuid)
      expect(await answerOf('small')).toBe('good day from /app\n')
      expect(await packages()).toEqual([...before, 'small'].sort())
    })

    it('gives a shell to the image of a single program', async () => {
      const { reference } = await registryOf(
        { 'opt/busybox': await readFile('/bin/busybox') },
        { config: { Entrypoint: ['/opt/busybox', 'echo', 'one program'] } },
      )
      const staged = await daemon.stagectl('stage', '--image', reference, '--name', 'single')
      expect(staged.exitCode, staged.stdout + staged.stderr).toBe(0)
      expect((await show('single')).dependencies).toEqual([{ type: 'os', name: 'debian' }])
      const { stdout, stderr } = await daemon.stagectl('run', 'single')
      expect(stdout, stderr).toContain('one program')
    })

    it.each<[what: string, options: SmallRegistryOptions, message: RegExp]>([
      ['for another architecture', { architecture: 's390x' }, /is for linux\/s390x, and this host runs linux\//],
      ['of a registry that wants a login', { login: true }, /wants a login for .* docker login and docker pull/],
      ['without a command', { config: { Cmd: null } }, /neither an entry point nor a command/],
    ])('of an image %s ends with the reason, and leaves nothing', async (_what, options, message) => {
      const before = await packages()
      const { reference } = await registryOf({ 'bin/sh': 'x' }, options)
      const { exitCode, stdout, stderr } = await daemon.stagectl('stage', '--image', reference, '--name', 'refused')
      expect(exitCode).not.toBe(0)
      expect(stdout + stderr).toMatch(message)
      expect(await packages()).toEqual(before)
      // The verdict of a stager is told before its container has been undone.
      await until('nothing is left', async () => (await leftovers(daemon)).length === 0)
    })

    it('ends the pull on Ctrl-C, and leaves nothing', async () => {
      const before = await packages()
      const registry = await registryOf({ 'bin/sh': randomBytes(100_000) }, { stalls: true })
      const staging = daemon.stagectl('stage', '--image', registry.reference, '--name', 'interrupted')
      await registry.hasStalled
      staging.kill('SIGINT')
      expect((await staging).exitCode).toBe(14)
      expect(await packages()).toEqual(before)
      await expectNothingLeft(daemon)
    })
  })
}
