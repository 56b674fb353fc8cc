import { execa } from 'execa'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import { CHECKOUT, type PrivateDaemon } from '../support/private-daemon.js'
import { stagerTarball, tarballOf, treeOf } from '../support/tarballs.js'

/** Every status code of docs/stager-api.md, each provoked from inside a container. */
const STATUS_CODES = ['200', '445', '448', '450', '451', '452', '499']

let daemon: PrivateDaemon
const file = (name: string) => path.join(daemon.directory, name)

let stagings = 0

/** Stages a new package through a stager of the fixtures. */
async function stage(
  command: string,
  options: { dependencies?: { type: 'runtime'; name: string }[]; verdict?: string } = {},
) {
  const name = `stager-${++stagings}`
  await daemon.addStager({
    name,
    package: 'package::/::programs',
    start_command: command,
    dependencies: options.dependencies ?? [],
    environment: options.verdict === undefined ? {} : { ALL_EIGHT_VERDICT: options.verdict },
  })
  await daemon.addPackage(await tarballOf(file(`${name}.tar.gz`), { 'index.html': 'hello' }), `app-${stagings}`, {
    state: 'uploaded',
  })
  const { uuid } = await daemon.submit(`app-${stagings}`, name)
  const staging = await daemon.ended(uuid)
  return { staging, log: await daemon.text(uuid), app: `app-${stagings}` }
}

const languages = [
  { language: 'bash with curl', command: './all-eight.sh', dependencies: [] },
  {
    language: 'JavaScript',
    command: 'node ./all-eight.mjs',
    dependencies: [{ type: 'runtime' as const, name: 'node' }],
  },
]

/** The tests of the Stager API in containers, on a node with debian-12 and Node.js. */
export function describeStagerApi(node: () => PrivateDaemon): void {
  beforeAll(async () => {
    daemon = node()
    const greeting = await tarballOf(file('greeting.tar.gz'), { 'opt/greeting/hello.txt': 'hello' })
    await daemon.addPackage(greeting, 'greeting', { provides: 'package.greeting', dependencies: 'os.debian-12' })
    const programs = await treeOf(path.join(CHECKOUT, 'test/fixtures/stagers'))
    const tarball = await stagerTarball(file('programs.tar.gz'), programs)
    await daemon.addPackage(tarball, 'programs', { dependencies: 'os.debian-12' })
  })

  describe.each(languages)('a stager in $language', ({ command, dependencies }) => {
    it('uses all eight operations', async () => {
      const { staging, log, app } = await stage(command, { dependencies })
      expect(staging.failure, log).toBeUndefined()
      expect(staging.launches.map(({ state }) => state)).toEqual(['relaunched', 'done'])
      expect(log).toContain('The snapshot leaves out 1 named pipe or device')

      const staged = await daemon.ask<Package>('GET', `/v1/packages/${encodeURIComponent(`package::/::${app}`)}`)
      expect(staged).toMatchObject({
        state: 'ready',
        provides: [{ type: 'file', name: 'all-eight' }],
        dependencies: [{ type: 'package', name: 'greeting' }],
        templates: [{ path: 'app/all-eight.conf', left_delimiter: '<<', right_delimiter: '>>' }],
      })
      expect(Object.keys(staged.environment)).toEqual(['ALL_EIGHT'])

      const tarball = file(`${app}.result.tar.gz`)
      await daemon.stagectl('package', 'download', app, '-f', tarball)
      const { stdout } = await execa('tar', ['-tzf', tarball])
      const names = stdout.split('\n').map((name) => name.replace(/^\.\/|\/$/g, ''))
      expect(names).toEqual(
        expect.arrayContaining(['opt/all-eight/empty', 'opt/all-eight/kept.txt', 'opt/all-eight/link']),
      )
      expect(names.filter((name) => !['', '.', 'opt', 'opt/all-eight'].includes(name))).toHaveLength(3)
    })

    it('can report failure', async () => {
      const { staging } = await stage(command, { dependencies, verdict: 'failed' })
      expect(staging).toMatchObject({ state: 'failed', failure: { cause: 'stager-failed' } })
    })
  })

  it('a stager can provoke every documented status code', async () => {
    const { staging, log } = await stage('./status-codes.sh')
    expect(staging.failure, log).toBeUndefined()
    const seen = new Set([...log.matchAll(/^(\d{3}) /gm)].map(([, code]) => code))
    expect([...seen].sort()).toEqual(STATUS_CODES)
  })
}
