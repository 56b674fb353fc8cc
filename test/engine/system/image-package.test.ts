import { mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import { busyboxTarball } from '../support/busybox-root.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { PrivateDaemon } from '../support/private-daemon.js'
import { smallRegistry } from '../support/small-registry.js'
import { smallImage } from '../support/small-image.js'

let daemon: PrivateDaemon
let image: string

beforeAll(async () => {
  daemon = await PrivateDaemon.start()
  image = await smallImage(await busyboxTarball(), await daemon.nodeId(), [
    'ENV GREETING="hello from the image"',
    'WORKDIR /app',
    'ENTRYPOINT ["/bin/sh", "-c"]',
    'CMD ["echo $GREETING in $(pwd) as $(whoami)"]',
  ])
})

afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

async function build(name: string, script: string) {
  const file = path.join(daemon.directory, `${name}.conf`)
  await mkdir(daemon.directory, { recursive: true })
  await writeFile(file, script)
  return await daemon.stagectl('package', 'build', file)
}

const packages = () => daemon.ask<Package[]>('GET', '/v1/packages')
const show = (name: string) => daemon.ask<Package>('GET', `/v1/packages/${encodeURIComponent(`package::/::${name}`)}`)
const blobs = async () =>
  (await readdir(path.join(daemon.stateDirectory, 'blobs'), { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  )

describe('a package of a Docker image', () => {
  it('runs like the image', async () => {
    const built = await build('small', `name: small, image: "${image}", provides [ { os: small } ], cleanup [ "/tmp" ]`)
    expect(built.exitCode, built.stdout + built.stderr).toBe(0)
    expect(await show('small')).toMatchObject({
      state: 'ready',
      provides: [{ type: 'os', name: 'small' }],
      environment: { GREETING: 'hello from the image', START_PATH: '/app' },
    })
    const run = await daemon.stagectl('run', 'small')
    expect(run.stdout, run.stderr).toContain('hello from the image in /app as runner')
    expect(run.exitCode).toBe(0)
    const listed = await daemon.stagectl('run', 'small', '--command', 'ls /')
    expect(listed.stdout.split('\n')).not.toContain('.dockerenv')
    await expectNothingLeft(daemon)
  })

  it('built again, replaces the package, and the script overrides the configuration of the image', async () => {
    const before = await show('small')
    const built = await build('small', `name: small, image: "${image}", environment { GREETING: "hello, script" }`)
    expect(built.exitCode, built.stdout + built.stderr).toBe(0)
    expect((await show('small')).uuid).toBe(before.uuid)
    expect((await daemon.stagectl('run', 'small')).stdout).toContain('hello, script in /app')
    expect((await packages()).map(({ name }) => name)).toEqual(['small'])
  })

  it('is pulled when the Engine lacks the image, and the log shows the progress', async () => {
    const registry = await smallRegistry(await busyboxTarball(), await daemon.nodeId())
    try {
      const built = await build('pulled', `name: pulled, image: "${registry.reference}"`)
      expect(built.exitCode, built.stdout + built.stderr).toBe(0)
      expect((await show('pulled')).environment).toMatchObject({ START_COMMAND: 'true' })
      // What is said of the layers depends on the image store, and on what has been pulled before.
      expect(await daemon.log()).toMatch(/pulling an image: Status: Downloaded newer image for 127\.0\.0\.1:/)

      const missing = await build('missing', `name: missing, image: "${registry.reference.replace(/:1$/, ':2')}"`)
      expect(missing.stderr).toMatch(/has an image|cannot pull it/)
    } finally {
      await registry.close()
    }
  })

  it('of an unreachable registry fails with one sentence, and leaves nothing', async () => {
    const before = { packages: await packages(), blobs: (await blobs()).length }
    // Nothing listens on this port.
    const built = await build('small', 'name: small, image: "127.0.0.1:1/nothing/here:1"')
    expect(built.exitCode).not.toBe(0)
    expect(built.stderr).toMatch(/does not have the image "127\.0\.0\.1:1\/nothing\/here:1" and cannot pull it \(.*\)/)
    expect(
      built.stderr
        .trim()
        .split('\n')
        .filter((line) => /pull/.test(line)),
    ).toHaveLength(1)
    expect({ packages: await packages(), blobs: (await blobs()).length }).toEqual(before)
    await expectNothingLeft(daemon)
  })
})
