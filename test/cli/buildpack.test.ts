import path from 'node:path'
import { execa } from 'execa'
import { chmod } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { aPackage, aStager, STAGER_ID } from './support/documents.js'
import { FakeProblem, notFound, takeResource, type FakeApi } from './support/fake-api.js'
import { useHarness } from './support/harness.js'
import { names, readTar } from './support/read-tar.js'
import { writeTree } from './support/workspace.js'

const harness = useHarness()

async function aBuildpack(directory = 'pack'): Promise<string> {
  const root = await writeTree(path.join(harness().root, directory), {
    'bin/detect': '#!/bin/sh',
    'bin/compile': '#!/bin/sh',
    'lib/x': '',
  })
  for (const name of ['detect', 'compile']) await chmod(path.join(root, 'bin', name), 0o755)
  return root
}

function furnished(api: FakeApi, list?: string): FakeApi {
  const environment: Record<string, string> = list === undefined ? {} : { BUILDPACKS: list }
  return api
    .on('GET /v1/stagers/:ref', () => aStager({ name: 'buildpack', environment }))
    .on('PATCH /v1/stagers/:ref', () => aStager({ name: 'buildpack' }))
    .on('GET /v1/packages/:ref', () => notFound('package'))
    .on('GET /v1/packages', () => [
      aPackage({ name: 'buildpack-a', provides: [{ type: 'package', name: 'buildpack-a' }] }),
    ])
    .on('DELETE /v1/packages/:ref', (_request, response) => void response.writeHead(204).end())
    .on('POST /v1/resources', takeResource)
    .on('POST /v1/packages', () => aPackage({ name: 'buildpack-new' }))
}

const uploaded = async (api: FakeApi) =>
  names(await readTar([api.requests.find(({ path }) => path === '/v1/resources')!.body]))

describe('buildpack add', () => {
  test('makes a package of a directory, which is tried last', async () => {
    const { api, run } = harness()
    furnished(api, 'a b')
    const { code, io } = await run('buildpack', 'add', 'new', await aBuildpack(), '--depends-on', 'runtime.ruby')
    expect([code, io.err]).toEqual([0, ''])
    expect(io.out).toContain('at position 3.')
    expect(await uploaded(api)).toContain('opt/buildpacks/new/bin/detect')
    expect(api.sent('POST /v1/packages')).toMatchObject({
      ...{ name: 'buildpack-new', state: 'ready' },
      provides: [{ type: 'package', name: 'buildpack-new' }],
      dependencies: [{ type: 'runtime', name: 'ruby' }],
    })
    expect(api.sent(`PATCH /v1/stagers/${STAGER_ID}`)).toEqual({
      environment_set: { BUILDPACKS: 'a b new' },
      environment_expected: { BUILDPACKS: 'a b' },
    })
  })

  test.each([
    ['a b c', ['--position', '1'], 'new a b c'],
    ['a new c', ['--position', '3'], 'a c new'],
    ['a new c', [], 'a new c'],
    [undefined, ['--position', '9'], 'new'],
  ])('in the list %s with %j gives %s', async (list, options, result) => {
    const { api, run } = harness()
    furnished(api, list)
    expect((await run('buildpack', 'add', 'new', await aBuildpack(), ...options)).code).toBe(0)
    expect(api.sent(`PATCH /v1/stagers/${STAGER_ID}`)).toEqual({
      environment_set: { BUILDPACKS: result },
      environment_expected: { BUILDPACKS: list ?? null },
    })
  })

  test('reads the list again when somebody else has changed it meanwhile', async () => {
    const { api, run } = harness()
    const lists = ['a', 'a b', 'a b c']
    furnished(api)
    api.on('GET /v1/stagers/:ref', () => aStager({ name: 'buildpack', environment: { BUILDPACKS: lists[0] ?? '' } }))
    api.on('PATCH /v1/stagers/:ref', ({ body }) => {
      const { environment_expected: expected } = JSON.parse(body.toString()) as {
        environment_expected: { BUILDPACKS: string }
      }
      if (expected.BUILDPACKS === 'a b c') return aStager({ name: 'buildpack' })
      lists.shift()
      throw new FakeProblem(409, 'environment-changed', 'It is another one.')
    })
    const { code, io } = await run('buildpack', 'add', 'new', await aBuildpack())
    expect([code, io.out]).toEqual([0, expect.stringContaining('at position 4.')])
  })

  test('takes a tarball of a repository, and a repository', async () => {
    const { api, run } = harness()
    furnished(api)
    const pack = await aBuildpack('repository/pack-main')
    const tarball = path.join(harness().root, 'pack.tar.gz')
    await execa('tar', ['-czf', tarball, '-C', path.dirname(pack), 'pack-main'])
    expect((await run('buildpack', 'add', 'new', tarball)).code).toBe(0)
    expect(await uploaded(api)).toContain('opt/buildpacks/new/bin/compile')
    const git = (...args: readonly string[]) =>
      execa('git', ['-C', pack, '-c', 'user.name=x', '-c', 'user.email=x@example.org', ...args])
    await git('init', '--quiet', '--initial-branch=v4')
    await git('add', '.')
    await git('commit', '--quiet', '-m', 'x')
    api.requests.length = 0
    const { code, io } = await run('buildpack', 'add', 'new', `file://${pack}#v4`)
    expect([code, io.err]).toEqual([0, ''])
    expect(await uploaded(api)).toContain('opt/buildpacks/new/lib/x')
  })

  test('refuses what is none, and changes nothing', async () => {
    const { api, run } = harness()
    furnished(api)
    const directory = await writeTree(path.join(harness().root, 'other'), { 'bin/detect': '', x: '' })
    const { code, io } = await run('buildpack', 'add', 'new', directory)
    expect([code, io.err]).toEqual([
      4,
      expect.stringContaining('is no buildpack, because it has no program bin/detect'),
    ])
    expect((await run('buildpack', 'add', 'a b', directory)).io.err).toContain('"a b" is not a name')
    expect(api.requests.filter(({ method }) => method !== 'GET')).toEqual([])
  })
})

test('buildpack list shows the order, and what is missing', async () => {
  const { api, run } = harness()
  furnished(api, 'gone a')
  const { io } = await run('buildpack', 'list')
  expect(io.out).toMatch(/1 +gone +missing\n2 +a +package::\S*::buildpack-a/)
})

test('buildpack remove takes it from the list first, and then its package', async () => {
  const { api, run } = harness()
  furnished(api, 'a b')
  expect((await run('buildpack', 'remove', 'a')).code).toBe(0)
  expect(api.requests.map(({ method }) => method)).toEqual(['GET', 'GET', 'PATCH', 'DELETE'])
  expect(api.sent(`PATCH /v1/stagers/${STAGER_ID}`)).toEqual({
    environment_set: { BUILDPACKS: 'b' },
    environment_expected: { BUILDPACKS: 'a b' },
  })
  const unknown = await run('buildpack', 'remove', 'c')
  expect([unknown.code, unknown.io.err]).toEqual([4, expect.stringContaining('tries no buildpack "c"')])
})
