import { link, rename, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Package } from '../../daemon/documents/package.js'
import type { Staging as StagingDocument } from '../../daemon/documents/staging.js'
import { names, readTar } from './support/read-tar.js'
import { RealApi } from './support/real-api.js'
import { writeTree } from './support/workspace.js'

let real: RealApi
beforeEach(async () => {
  real = await RealApi.open()
  await real.addStager('/apcera', 'ruby')
  for (const name of ['ruby', 'static-site', 'go']) await real.addPipeline('/apcera', name, 'job::/apcera::ruby')
})
afterEach(() => real.close())

const tree = (files: Readonly<Record<string, string>>, name = 'app') => writeTree(path.join(real.root, name), files)

/** Stages without waiting for the end; nothing runs the staging. */
const stage = async (...argv: readonly string[]) => {
  const { code, io } = await real.run(['stage', ...argv, '--detach', '--json'])
  return { code, err: io.err, staging: code === 0 ? (io.document() as StagingDocument) : undefined }
}

const show = async (name: string) => {
  const { io } = await real.run(['package', 'show', name, '--json'])
  return io.document() as Package
}

/** The names in the archive that a package has. */
const packed = async ({ resource }: Package) => {
  const { stream } = await real.api.blobs.open(resource!.digest.replace('sha256:', ''))
  return names(await readTar([await buffer(stream)]))
}

describe('stage with a manifest', () => {
  test('takes from it what the package is called, how it is staged and what it needs', async () => {
    await tree({
      'index.html': '',
      'continuum.conf': [
        'name: shop, namespace: /dev/test, staging_pipeline: "apcera::ruby"',
        'start_cmd: "rackup -p $PORT"',
        'package_dependencies [ "runtime.ruby" ]',
        'env { RAILS_ENV: production }',
        'templates [ { path: "app/database.yml" } ]',
        'resources { cpu: 50%, memory: 64MB }',
        'instances: 2, ports [ { number: 0 } ]',
      ].join('\n'),
    })
    const { code, staging } = await stage('app')
    expect({ code, staging }).toMatchObject({
      code: 0,
      staging: { package: 'package::/dev/test::shop', pipeline: 'stagpipe::/apcera::ruby' },
    })
    expect(await show('/dev/test::shop')).toMatchObject({
      dependencies: [{ type: 'runtime', name: 'ruby' }],
      environment: { RAILS_ENV: 'production', START_COMMAND: 'rackup -p $PORT' },
      templates: [{ path: 'app/database.yml', left_delimiter: '{{', right_delimiter: '}}' }],
      manifest: {
        resources: { cpu: 500, memory_bytes: 64 * 1024 ** 2 },
        instances: 2,
        ports: [{ number: 0, routes: [] }],
      },
    })
  })

  test('lets every option go over it', async () => {
    await tree({
      'index.html': '',
      'continuum.conf':
        'name: shop, namespace: /dev, staging_pipeline: ruby, depends_on [ "os.linux" ], start_cmd: "a"\nenv { A: "1", B: "2" }',
    })
    const options = ['--name', 'mine', '--namespace', '/own', '--pipeline', '/apcera::go']
    const more = ['--depends-on', 'os.debian', '-e', 'B=3', '-e', 'START_COMMAND=b']
    const { code, staging } = await stage('app', ...options, ...more)
    expect({ code, pipeline: staging?.pipeline }).toEqual({ code: 0, pipeline: 'stagpipe::/apcera::go' })
    expect(await show('/own::mine')).toMatchObject({
      dependencies: [{ type: 'os', name: 'debian' }],
      environment: { A: '1', B: '3', START_COMMAND: 'b' },
      manifest: { start_cmd: 'b' },
    })
  })

  test('goes over what is detected, and leaves the rest to it', async () => {
    await tree({ 'index.html': '', 'continuum.conf': 'staging_pipeline: "/apcera::go"' })
    const { err, staging } = await stage('app')
    expect(staging).toMatchObject({ package: 'package::/::app', pipeline: 'stagpipe::/apcera::go' })
    expect(err).toContain('The pipeline is stagpipe::/apcera::go, because the manifest names it.')
    await tree({ 'index.html': '', 'continuum.conf': 'name: other' })
    expect((await stage('app')).staging).toMatchObject({ pipeline: 'stagpipe::/apcera::static-site' })
  })

  test('never packs it: no stager can serve what it holds', async () => {
    await tree({ 'index.html': '', 'continuum.conf': 'env { PASSWORD: secret }', 'conf/continuum.conf': 'not mine' })
    await stage('app')
    expect(await packed(await show('app'))).toEqual(['conf/', 'conf/continuum.conf', 'index.html'])
  })

  test('takes the source from its path, and the name from its own directory', async () => {
    await tree({ 'continuum.conf': 'path: "src/site/"', 'src/site/index.html': '', README: '' })
    expect((await stage('app')).code).toBe(0)
    expect(await packed(await show('app'))).toEqual(['index.html'])
  })

  test('of an empty file changes nothing', async () => {
    await tree({ 'index.html': '', 'continuum.conf': '' })
    expect((await stage('app')).code).toBe(0)
    expect(await show('app')).not.toHaveProperty('manifest')
  })

  test('that is changed or gone, a package loses what it gave', async () => {
    await tree({ 'index.html': '', 'continuum.conf': 'env { OLD: "1" }, instances: 2, start_cmd: x' })
    await stage('app', '-e', 'MINE=1')
    const first = await show('app')
    expect(first.environment).toEqual({ OLD: '1', START_COMMAND: 'x', MINE: '1' })
    const { io } = await real.run(['staging', 'list', '--json'])
    const [{ uuid }] = io.document() as [StagingDocument]
    await real.run(['staging', 'cancel', uuid])
    await rename(path.join(real.root, 'app/continuum.conf'), path.join(real.root, 'gone.conf'))
    const { staging } = await stage('app')
    const { work } = await real.api.store.ledger.get(staging!.uuid)
    expect(work.environment).toEqual({ MINE: '1' })
    expect(work.manifest).toBeUndefined()
    // The package itself changes only when its staging has succeeded.
    expect(await show('app')).toMatchObject({ environment: first.environment, manifest: { instances: 2 } })
  })

  test.each([
    ['nmae: shop', 'app/continuum.conf: Line 1, column 1: expected name, or another one of the keys of a manifest'],
    ['name: "a b"\nstart: 1', 'app/continuum.conf: There are 2 mistakes.\n  Line 1, column 7: '],
    ['env { A: "{{"}', 'app/continuum.conf: Line 1, column 10: '],
  ])('refuses its mistakes with their places: %j', async (text, message) => {
    await tree({ 'index.html': '', 'continuum.conf': text })
    const { code, err } = await stage('app')
    expect(code).toBe(4)
    expect(err).toContain(message)
    expect((await real.api.store.packages.list({ namespace: '/' })).map(({ name }) => name)).toEqual(['stager-ruby'])
  })

  describe('tells where the value is that turns out to be wrong:', () => {
    const cases: Readonly<Record<string, { readonly text: string; readonly says: string }>> = {
      'a path that is not there': {
        text: 'name: shop\npath: src',
        says: 'app/continuum.conf: Line 2, column 7: There is no "app/src": give a source directory',
      },
      'a path through a file': {
        text: 'path: "index.html/src"',
        says: 'app/continuum.conf: Line 1, column 7: There is no "app/index.html/src"',
      },
      'a path that is a link in a circle': {
        text: 'path: circle',
        says: 'app/continuum.conf: Line 1, column 7: "app/circle" is a symbolic link that leads in a circle',
      },
      'a path that a link leads out': {
        text: '\n  path: outside',
        says: 'app/continuum.conf: Line 2, column 9: "app/outside" leads out of the directory of the manifest',
      },
      'a path of an archive that cannot be read': {
        text: 'path: broken.zip, staging_pipeline: ruby',
        says: 'app/continuum.conf: Line 1, column 7: ',
      },
      'an unknown pipeline': {
        text: 'staging_pipeline: "nodejs-9"',
        says: 'app/continuum.conf: Line 1, column 19: There is no pipeline nodejs-9 in / or /apcera: see `stagectl pipeline list`.',
      },
      'an unknown pipeline with its namespace': {
        text: 'name: shop, staging_pipeline: "acme::go"',
        says: 'app/continuum.conf: Line 1, column 31: There is no pipeline stagpipe::/acme::go: see',
      },
      'an unknown pipeline in the namespace of the manifest': {
        text: 'namespace: "/dev"\nstaging_pipeline: perl',
        says: 'app/continuum.conf: Line 2, column 19: There is no pipeline perl in /dev or /apcera',
      },
      'the name of the program of a stager': {
        text: 'namespace: "/apcera", name: "stager-ruby"',
        says: 'app/continuum.conf: Line 1, column 29: package::/apcera::stager-ruby holds the program of job::/apcera::ruby',
      },
    }
    test.each(Object.entries(cases))('%s', async (_, { text, says }) => {
      await tree({ 'index.html': '', 'broken.zip': 'PK\x03\x04 cut short', 'continuum.conf': text })
      await symlink('circle', path.join(real.root, 'app/circle'))
      await symlink('/etc', path.join(real.root, 'app/outside'))
      const { code, err } = await stage('app')
      expect(err).toContain(says)
      expect({ code, mentions: err.split('continuum.conf').length - 1 }).toEqual({ code: 4, mentions: 1 })
      expect((await real.api.store.packages.list({ namespace: '/' })).map(({ name }) => name)).toEqual(['stager-ruby'])
    })
  })

  test('takes no blame for what an option says instead', async () => {
    await tree({ 'index.html': '', 'continuum.conf': 'name: shop, staging_pipeline: none, depends_on [ "os.none" ]' })
    expect((await stage('app', '--pipeline', 'ruby', '--depends-on', 'os.linux')).code).toBe(0)
    const { err } = await stage('app', '--pipeline', 'none')
    expect(err).toContain('There is no pipeline none')
    expect(err).not.toContain('continuum.conf')
  })

  test('has a path that a link leads elsewhere in its directory', async () => {
    await tree({ 'continuum.conf': 'path: current', 'releases/5/index.html': '' })
    await symlink('releases/5', path.join(real.root, 'app/current'))
    expect((await stage('app')).code).toBe(0)
    expect(await packed(await show('app'))).toEqual(['index.html'])
  })

  test.each([
    ['package_dependencies [\n  "os.linux"\n  { runtime: "ruby-9" }\n]', ['Line 3, column 14']],
    ['depends_on [ "runtime.b", "os.linux", { package: c } ]', ['Line 1, column 14', 'Line 1, column 50']],
    ['depends_on [ "os.linux" ]', []],
  ])('warns of dependencies that no package serves yet: %j', async (text, places) => {
    await real.addPackage('/', 'linux', { provides: [{ type: 'os', name: 'linux' }] })
    await tree({ 'index.html': '', 'continuum.conf': text })
    const { code, err } = await stage('app')
    const warnings = err.matchAll(/^app\/continuum\.conf: (Line \d+, column \d+): .*/gm)
    expect([...warnings].map(([, place]) => place)).toEqual(places)
    // The staging decides: what is being made may be there when its turn comes.
    expect(code).toBe(0)
  })

  test('warns of no dependency that an option replaces', async () => {
    await tree({ 'index.html': '', 'continuum.conf': 'depends_on [ "runtime.none" ]' })
    expect((await stage('app', '--depends-on', 'os.linux')).err).not.toContain('continuum.conf')
  })
})

describe('detect', () => {
  test('looks at the source of the manifest, in its namespace, and tells which pipeline it names', async () => {
    await real.addPipeline('/dev', 'static-site', 'job::/apcera::ruby')
    await tree({ 'continuum.conf': 'namespace: /dev, path: site', 'site/index.html': '', Gemfile: '' })
    const { io } = await real.run(['detect', 'app', '--json'])
    expect(io.document()).toMatchObject({ pipeline: 'stagpipe::/dev::static-site' })
    expect(io.err).not.toContain('continuum.conf')

    await tree({ 'continuum.conf': 'staging_pipeline: "apcera::go"', 'index.html': '' }, 'other')
    const other = await real.run(['detect', 'other'])
    expect(other.io.err).toContain('continuum.conf names the pipeline /apcera::go, and `stage` uses that one.')

    await tree({ 'continuum.conf': 'staging_pipeline: gone', 'index.html': '' }, 'gone')
    const gone = await real.run(['detect', 'gone'])
    expect(gone.code).toBe(4)
    expect(gone.io.err).toContain('gone/continuum.conf: Line 1, column 19: There is no pipeline gone in / or /apcera')
  })
})

describe('stage --config', () => {
  test('takes the source from where the manifest is', async () => {
    await tree({ 'staging.conf': 'name: shop', 'index.html': '', 'continuum.conf': 'name: unused' })
    const { code, staging } = await stage('--config', 'app/staging.conf')
    expect({ code, name: staging?.package }).toEqual({ code: 0, name: 'package::/::shop' })
    expect(await packed(await show('shop'))).toEqual(['index.html'])
  })

  test('goes with the source that is named, whatever its path says', async () => {
    await tree({ 'index.html': '', 'continuum.conf': 'nmae' })
    await writeFile(path.join(real.root, 'prod.conf'), 'path: elsewhere, env { MODE: prod }')
    expect((await stage('app', '--config', 'prod.conf')).code).toBe(0)
    expect(await show('app')).toMatchObject({ environment: { MODE: 'prod' } })
  })

  test('leaves a manifest out that is a link in the source', async () => {
    await tree({ 'index.html': '', 'conf/prod.conf': 'name: shop' })
    await symlink('conf/prod.conf', path.join(real.root, 'app/link.conf'))
    expect((await stage('app', '--config', 'app/link.conf')).code).toBe(0)
    expect(await packed(await show('shop'))).toEqual(['conf/', 'index.html'])
  })

  test('leaves it out under every name that the source has for it', async () => {
    await tree({ 'index.html': '', 'conf/prod.conf': 'name: shop' })
    await link(path.join(real.root, 'app/conf/prod.conf'), path.join(real.root, 'app/page.html'))
    await symlink('app', path.join(real.root, 'current'))
    expect((await stage('app', '--config', 'current/conf/prod.conf')).code).toBe(0)
    expect(await packed(await show('shop'))).toEqual(['conf/', 'index.html'])
  })

  test('leaves continuum.conf out too, although it is not used', async () => {
    await tree({ 'index.html': '', 'secret.txt': 'env { PASSWORD: secret }' })
    await symlink('secret.txt', path.join(real.root, 'app/continuum.conf'))
    await writeFile(path.join(real.root, 'prod.conf'), 'name: shop')
    expect((await stage('app', '--config', 'prod.conf')).code).toBe(0)
    expect(await packed(await show('shop'))).toEqual(['index.html'])
  })

  test('goes with an archive', async () => {
    await tree({ 'index.html': '' })
    await writeFile(path.join(real.root, 'prod.conf'), 'name: shop, staging_pipeline: ruby')
    await real.run(['stage', 'app', '--detach'])
    await real.run(['package', 'download', 'app', '-f', 'site.tar.gz'])
    const { code, staging } = await stage('site.tar.gz', '--config', 'prod.conf')
    expect({ code, name: staging?.package }).toEqual({ code: 0, name: 'package::/::shop' })
  })

  test('tells the places in the file that it names', async () => {
    await tree({ 'index.html': '', 'prod.conf': 'path: "none"' })
    expect((await stage('--config', 'app/prod.conf')).err).toContain(
      'app/prod.conf: Line 1, column 7: There is no "app/none"',
    )
  })

  test('names a file that can be read', async () => {
    await tree({ 'index.html': '' })
    const { code, err } = await stage('app', '--config', 'none.conf')
    expect(code).toBe(4)
    expect(err).toContain('give the path of a manifest')
  })
})
