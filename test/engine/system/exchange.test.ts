import { readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { PrivateDaemon } from '../support/private-daemon.js'
import { recipeTarball, stagerTarball, tarballOf } from '../support/tarballs.js'

let here: PrivateDaemon
let there: PrivateDaemon

beforeAll(async () => {
  ;[here, there] = await Promise.all([PrivateDaemon.start(), PrivateDaemon.start()])
  const file = (name: string) => path.join(here.directory, name)
  await here.addPackage(await recipeTarball('busybox'), 'busybox', { provides: 'os.linux' })
  const program = await stagerTarball(file('greet.tar.gz'), {
    greet: `#!/bin/sh
set -e
echo "on $(cat /greeting)"
wget -q -O - --post-data="" "$STAGER_URL/done"
`,
  })
  await here.addPackage(program, 'greet-program', { dependencies: 'os.linux runtime.greeting' })
  await here.addPackage(await tarballOf(file('greeting.tar.gz'), { greeting: 'another host' }), 'greeting', {
    provides: 'runtime.greeting',
    dependencies: 'os.linux',
  })
  await here.addStager({ name: 'greet', package: 'package::/::greet-program', start_command: './greet' })
})

afterAll(async () => {
  for (const daemon of [here, there]) {
    await daemon.stop()
    await removeImages(daemon)
    await daemon.close()
  }
})

it('an exported pipeline with its dependencies stages on a daemon with an empty state directory', async () => {
  const file = path.join(here.directory, 'greet.cntmp')
  const exported = await here.stagectl('pipeline', 'export', 'greet', '--with-dependencies', '-f', file)
  expect(exported.stderr).toBe('')
  expect(exported.exitCode).toBe(0)
  await here.stop()

  const imported = await there.stagectl('package', 'import', file)
  expect(imported.stderr).toBe('')
  expect(imported.stdout.split('\n')).toEqual([
    'Imported package::/::busybox.',
    'Imported package::/::greet-program.',
    'Imported package::/::greeting.',
    'Imported job::/::greet.',
    'Imported stagpipe::/::greet.',
  ])
  await rm(file)
  const site = path.join(there.directory, 'site.tar.gz')
  await tarballOf(site, { 'index.html': 'hello' })
  const staged = await there.stagectl('stage', site, '--name', 'site', '--pipeline', 'greet')
  expect(staged.stdout).toContain('[staging] on another host')
  expect(staged.exitCode, staged.stdout + staged.stderr).toBe(0)
  await there.stop()
  await expectNothingLeft(there)
  await there.restart()
  await here.restart()
})

it('exporting and importing a package of 100 MB takes a constant amount of memory', async () => {
  const large = path.join(here.directory, 'large.tar')
  const content = await largeTar(100)
  await writeFile(large, content)
  await here.addPackage(large, 'large', { provides: 'file.large' })
  await rm(large)
  const file = path.join(here.directory, 'large.cntmp')
  const before = { here: await highWater(here), there: await highWater(there) }
  const exported = await here.stagectl('package', 'export', 'large', '-f', file)
  expect(exported.exitCode, exported.stderr).toBe(0)
  const imported = await there.stagectl('package', 'import', file)
  expect(imported.exitCode, imported.stderr).toBe(0)
  await rm(file)
  const grown = {
    here: (await highWater(here)) - before.here,
    there: (await highWater(there)) - before.there,
  }
  console.log(`grown by, in MB: exporter ${grown.here}, importer ${grown.there}`)
  expect(grown.here).toBeLessThan(70)
  expect(grown.there).toBeLessThan(70)

  // The import counts as an upload: the same tarball is not sent again.
  await writeFile(large, content)
  const again = await there.stagectl('package', 'from-file', large, 'large-again')
  expect(again.exitCode, again.stderr).toBe(0)
  await rm(large)
  const { text } = await there.call('GET', '/metrics')
  const uploads = text.split('\n').filter((line) => line.includes('"POST"') && line.includes('"/v1/resources"'))
  expect(text).toContain('"/v1/exchange"')
  expect(uploads).toEqual([])

  // A partial download is resumed.
  const target = path.join(there.directory, 'down.tar')
  const { resource } = await there.ask<{ resource: { digest: string } }>('GET', '/v1/packages/%2F::large')
  const part = path.join(there.directory, `.down.tar.${resource.digest.slice(7, 23)}.part`)
  await writeFile(part, content.subarray(0, 65 * 1024 * 1024))
  const down = await there.stagectl('package', 'download', 'large', '-f', target)
  expect(down.exitCode, down.stderr).toBe(0)
  expect((await readFile(target)).equals(content)).toBe(true)
})

/** A tar of one file without holes. */
async function largeTar(megabytes: number): Promise<Buffer> {
  const tar = pack()
  const content = Buffer.alloc(megabytes * 1024 * 1024)
  for (let at = 0; at < content.length; at += 4096) content.writeUInt32LE((at * 2654435761) % 2 ** 32, at)
  tar.entry({ name: 'large', mtime: new Date(0) }, content)
  tar.finalize()
  return await buffer(tar)
}

/** Peak memory of the daemon, in MB. */
async function highWater({ pid }: PrivateDaemon): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024)
}
