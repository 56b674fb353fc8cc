import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { installDirectory } from '../../../base/installation.js'
import { NotFound } from '../../../base/errors.js'
import { PlugIns } from '../../../daemon/cloud-foundry/plug-ins.js'
import { readPlugInTable } from '../../../daemon/cloud-foundry/read-plug-in-table.js'
import { parseStagingRequest } from '../../../daemon/cloud-foundry/staging-request.js'
import { catalogueOf } from '../../../daemon/packages/catalogue.js'
import { PackageIndex } from '../../../daemon/packages/resolution/package-index.js'
import type { PipelineRepository } from '../../../daemon/store/repositories.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../isolation/archive/limits.js'
import { readBeginnings } from '../../../isolation/archive/read-beginnings.js'
import { tarOf } from '../../support/tar-builder.js'
import { packagesOf } from '../packages/support/packages-as-text.js'

const THERE = `
  debian: os.debian
  ruby:   runtime.ruby runtime.ruby-3.1 <- os.debian
  node:   runtime.node runtime.node-20 <- os.debian
  python: runtime.python <- os.debian`

const { signal } = new AbortController()
const table = await readPlugInTable(installDirectory(), undefined)

/** @param pipelines full names */
function plugInsWith(files: Readonly<Record<string, string>>, pipelines: readonly string[] = []): PlugIns {
  const usable = packagesOf(THERE)
  const archive = tarOf(...Object.entries(files).map(([name, data]) => ({ name, data })))
  const get: unknown = ({ namespace, name }: { namespace: string; name: string }) =>
    pipelines.includes(`${namespace}::${name}`)
      ? Promise.resolve({})
      : Promise.reject(new NotFound('pipeline-not-found', 'none'))
  return new PlugIns({
    ...{ table, namespace: '/cloud-foundry' },
    pipelines: { get } as Pick<PipelineRepository, 'get'>,
    resolver: { with: (work) => Promise.resolve(work(catalogueOf(usable, new PackageIndex().follow(usable)))) },
    blobs: { open: () => Promise.resolve({ stream: Readable.from([archive]), length: archive.length } as never) },
    readBeginnings: (body, options) => readBeginnings(body, { ...options, limits: DEFAULT_ARCHIVE_LIMITS }),
  })
}

function wish(properties: object) {
  const request = { app_id: 'x', download_uri: 'x', upload_uri: 'x', properties }
  const parsed = parseStagingRequest(Buffer.from(JSON.stringify(request)))
  if (!parsed) throw new Error('it is no JSON')
  return parsed
}

const framework = (name: string, more: object = {}) => ({ framework_info: { name, ...more } })
const prepared = (properties: object, files: Readonly<Record<string, string>>) =>
  plugInsWith(files).prepare(wish(properties), { sha256: 'x' }, signal)

describe('the application of a request', () => {
  it.each<[string, object, Readonly<Record<string, string>>, string | undefined]>([
    [
      'by its main file',
      framework('sinatra'),
      { 'b.rb': "require 'sinatra'", 'a.rb': '' },
      '%VCAP_LOCAL_RUNTIME% b.rb -p $PORT',
    ],
    ['in app/', framework('sinatra'), { 'app/b.rb': "require 'sinatra'" }, '%VCAP_LOCAL_RUNTIME% b.rb -p $PORT'],
    [
      'of any name',
      framework('sinatra'),
      { "it's.rb": 'require "sinatra"' },
      `%VCAP_LOCAL_RUNTIME% 'it'\\''s.rb' -p $PORT`,
    ],
    ['by its Procfile', framework('sinatra'), { 'b.rb': "require 'sinatra'", Procfile: 'web: x' }, undefined],
    ['by its request', { ...framework('sinatra'), meta: { command: 'go' } }, { 'b.rb': "require 'sinatra'" }, 'go'],
    ['by its pipeline', framework('sinatra'), { 'config.ru': '' }, undefined],
    ['by its pipeline, of a framework without a command', framework('node'), { 'x.js': '' }, undefined],
  ])('is started %s', async (_how, properties, files, start) => {
    const { environment } = await prepared(properties, files)
    expect(environment.START_COMMAND).toBe(start)
  })

  it.each<[string, object, Readonly<Record<string, string>>, string]>([
    [
      'has none of its files',
      framework('node'),
      { 'x.rb': '' },
      'no file is named "package.json", and no file is named "*.js"',
    ],
    [
      'has what must not be there',
      framework('rack'),
      { 'config.ru': '', 'config/environment.rb': '' },
      '"config/environment.rb" is there',
    ],
    [
      'has other files than its request says',
      framework('node', { detection: [{ 'x.js': 'listen' }] }),
      { 'x.js': '' },
      'no line of "x.js" matches "listen"',
    ],
    [
      'has a rule that is none',
      framework('node', { detection: { 'x.js': '(' } }),
      { 'x.js': '' },
      'is not a regular expression',
    ],
  ])('is refused that %s', async (_what, properties, files, message) => {
    await expect(prepared(properties, files)).rejects.toThrow(message)
  })

  it('depends on the version that is asked for, where that is there', async () => {
    const runtime = (name: string, version: string) => ({ ...framework('node'), runtime_info: { name, version } })
    const dependencies = [{ type: 'runtime', name: 'node-20' }]
    expect(await prepared(runtime('node', '20.11.1'), { 'x.js': '' })).toMatchObject({ dependencies, lines: [] })
    expect(await prepared(runtime('node06', '0.6.8'), { 'x.js': '' })).toMatchObject({
      dependencies: [],
      lines: ['The runtime "node06" ("0.6.8") is not there: using runtime.node'],
    })
    await expect(prepared(runtime('java', '7'), { 'x.js': '' })).rejects.toThrow('there are ruby-3.1, python, node-20.')
  })

  it('gets the default runtime of its framework, and no other than its framework has', async () => {
    const runtimes = [{ ruby18: { default: true } }, { ruby19: { default: false } }]
    const { lines } = await prepared(framework('rack', { runtimes }), { 'config.ru': '' })
    expect(lines).toEqual(['The runtime "ruby18" is not there: using runtime.ruby'])
    await expect(
      prepared({ ...framework('rack', { runtimes }), runtime_info: { name: 'java' } }, { 'config.ru': '' }),
    ).rejects.toThrow('The runtime "java" is not one of those of the framework "rack": "ruby18", "ruby19".')
  })

  it('of a buildpack is not asked for its framework, and has the limits of the request', async () => {
    const properties = { ...framework('cobol'), buildpack: 'own', resources: { memory: 8, disk: 128.5 } }
    const { environment } = await prepared(properties, {})
    expect(environment).toEqual({ BUILDPACK: 'own' })
    expect(wish(properties).limits).toEqual({ memoryBytes: 64 * 1024 ** 2, diskBytes: 128.5 * 1024 ** 2 })
    expect(wish({ ...properties, buildpack: null }).limits).toEqual({})
  })
})

describe('a request', () => {
  it('may have null for what there is not', () => {
    const nothing = { framework_info: null, runtime_info: null, buildpack: null, environment: null, meta: null }
    expect(wish(nothing)).toEqual(wish({}))
  })

  it.each<[object, string]>([
    [
      { environment: [null] },
      '"properties.environment" in the request must be one of "a list of NAME=VALUE", "an object"',
    ],
    [framework('x', { detection: [{ a: 7 }] }), 'must be one of "a table of rules", "a list of them"'],
    [framework('x', { runtimes: 7 }), '"properties.framework_info.runtimes" in the request must be an array'],
    [{ resources: { memory: -1 } }, '"properties.resources.memory" in the request must be >= 1'],
  ])('is refused in one sentence: %j', (properties, message) => {
    expect(() => wish(properties)).toThrow(message)
  })
})

describe('the pipeline of a request', () => {
  const pipelineOf = (properties: object, ...pipelines: readonly string[]) =>
    plugInsWith({}, pipelines).pipelineOf(wish(properties))

  it.each<[object, string]>([
    [framework('rails3'), 'ruby'],
    [{ ...framework('standalone'), runtime_info: { name: 'python2' } }, 'python'],
    [{ ...framework('standalone'), runtime_info: { name: 'node20' } }, 'nodejs'],
    [{ ...framework('node'), buildpack: 'x' }, 'buildpack'],
    [{}, 'buildpack'],
  ])('of %j is %s, in the first namespace that has it', async (properties, name) => {
    const all = ['/cloud-foundry', '/', '/apcera'].map((namespace) => `${namespace}::${name}`)
    expect(await pipelineOf(properties, ...all)).toEqual({ kind: 'stagpipe', namespace: '/cloud-foundry', name })
    expect(await pipelineOf(properties, ...all.slice(2))).toMatchObject({ namespace: '/apcera' })
    await expect(pipelineOf(properties)).rejects.toThrow(`There is no pipeline "${name}"`)
  })

  it.each<[object, string]>([
    [framework('cobol'), 'The framework "cobol" is not one of sinatra, rack'],
    [framework('__proto__'), 'The framework "__proto__" is not one of'],
    [framework('standalone'), 'The framework "standalone" needs a runtime that names its pipeline'],
  ])('of %j is told to be none', async (properties, message) => {
    await expect(pipelineOf(properties)).rejects.toThrow(message)
  })
})
