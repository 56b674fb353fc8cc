import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Package } from '../../daemon/documents/package.js'
import type { Pipeline } from '../../daemon/documents/pipeline.js'
import { RealApi } from './support/real-api.js'
import { writeTree } from './support/workspace.js'
import path from 'node:path'

// A local name of what is shown or used is looked for in the current namespace, and then in /apcera.

let real: RealApi
beforeAll(async () => {
  real = await RealApi.open()
  for (const namespace of ['/apcera', '/acme']) {
    await real.addPackage(namespace, 'both')
    await real.addStager(namespace, 'both')
  }
  await real.addPackage('/apcera', 'shared')
  await real.addStager('/apcera', 'shared')
  await real.addPipeline('/apcera', 'shared', 'job::/apcera::shared')
  await writeTree(path.join(real.root, 'app'), { 'index.html': '' })
})
afterAll(() => real.close())

const inAcme = (...argv: readonly string[]) => real.run([...argv, '--namespace', '/acme'])

describe('what is shown or used', () => {
  test.each([
    ['package', 'shared', 'package::/apcera::shared'],
    ['package', 'both', 'package::/acme::both'],
    ['package', '/apcera::both', 'package::/apcera::both'],
    ['stager', 'shared', 'job::/apcera::shared'],
    ['stager', 'both', 'job::/acme::both'],
    ['pipeline', 'shared', 'stagpipe::/apcera::shared'],
  ])('%s show %s shows %s', async (group, name, fqn) => {
    const { code, io } = await inAcme(group, 'show', name, '--json')
    expect({ code, fqn: (io.document() as Package).fqn }).toEqual({ code: 0, fqn })
  })

  test('a package is downloaded, exported and resolved', async () => {
    expect((await inAcme('package', 'download', 'shared', '-f', 'shared.tar.gz')).code).toBe(0)
    expect((await inAcme('package', 'export', 'shared', 'both', '-f', 'packages.cntmp')).code).toBe(0)
    const { io } = await inAcme('package', 'resolve', 'shared', '--json')
    expect(io.document()).toMatchObject({ subject: 'package::/apcera::shared' })
  })

  test('a pipeline is used by a staging, and exported', async () => {
    const { code } = await inAcme('stage', 'app', '--pipeline', 'shared', '--detach')
    expect(code).toBe(0)
    const { io } = await inAcme('staging', 'list', '--pipeline', 'shared', '--json')
    expect(io.document()).toMatchObject([{ package: 'package::/acme::app', pipeline: 'stagpipe::/apcera::shared' }])
    expect((await inAcme('pipeline', 'export', 'shared', '-f', 'pipeline.cntmp')).code).toBe(0)
  })

  test('the stagers of a pipeline, and a pipeline that is cloned, without a name under its own', async () => {
    const made = await inAcme('pipeline', 'create', 'mine', 'both', 'shared', '--json')
    expect((made.io.document() as Pipeline).stagers).toEqual(['job::/acme::both', 'job::/apcera::shared'])
    const cloned = await inAcme('pipeline', 'clone', 'shared', '--json')
    expect(cloned.io.document()).toMatchObject({ fqn: 'stagpipe::/acme::shared', stagers: ['job::/apcera::shared'] })
    const appended = await inAcme('pipeline', 'append', 'shared', 'both', '--json')
    expect(appended.io.document()).toMatchObject({ stagers: ['job::/apcera::shared', 'job::/acme::both'] })
    const removed = await inAcme('pipeline', 'remove', 'shared', 'shared', '--json')
    expect(removed.io.document()).toMatchObject({ fqn: 'stagpipe::/acme::shared', stagers: ['job::/acme::both'] })
  })
})

describe('what is changed or deleted', () => {
  test.each([
    [['package', 'delete', 'shared']],
    [['package', 'update', 'shared', '--name', 'other']],
    [['stager', 'update', 'shared', '--timeout', '1m']],
    [['stager', 'delete', 'shared']],
    [['pipeline', 'delete', 'shared']],
    [['pipeline', 'append', 'shared', 'both']],
    [['pipeline', 'remove', 'shared', 'shared']],
  ])('%j does not reach into /apcera', async (argv) => {
    const { code, io } = await real.run([...argv, '--namespace', '/elsewhere'])
    expect(code).toBe(4)
    expect(io.err).toMatch(/There is no .*\/elsewhere/)
    for (const kind of ['package', 'stager', 'pipeline'])
      expect((await real.run([kind, 'show', '/apcera::shared'])).code).toBe(0)
  })
})
