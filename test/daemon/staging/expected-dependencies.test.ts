import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Capability } from '../../../daemon/packages/metadata.js'
import type { FakeContext } from '../../support/fake-isolation.js'
import { call, StagingHarness } from '../../support/staging-harness.js'

/** What the stager wants for the package, as applications do: in its first launch only, it has none of that yet. */
interface Wish {
  readonly name: string
  /** It adds a variable of the package before it asks. */
  readonly variable?: boolean
  /** It needs the dependency only while it stages. */
  readonly forStagingOnly?: boolean
}

let harness: StagingHarness
let wish: Wish
/** What each launch had at /stagerfs: names of packages. */
let launched: string[][]

const root = (name: string) => ({ namespace: '/', name })
const runtime = (name: string): Capability => ({ type: 'runtime', name })
const change = (url: string, form: Record<string, string>) => call(url, 'PUT /meta', new URLSearchParams(form))
const capability = (action: string, name: string) => ({ resource: 'dependencies', action, type: 'runtime', name })
const namesOf = ({ plan }: FakeContext) => (plan.stagerfs ?? []).map(({ name }) => name.replace('package::/::', ''))

beforeEach(async () => {
  harness = await StagingHarness.open()
  launched = []
  wish = { name: 'node' }
  for (const name of ['app', 'plain']) await harness.addPackage(name, { state: 'uploaded' })
  await harness.addPackage('node-20', { provides: [runtime('node'), runtime('node-20')], environment: { NODE: '20' } })
  await harness.addPackage('node-18', { provides: [runtime('node'), runtime('node-18')], environment: { NODE: '18' } })
  await harness.addPackage('ruby', { provides: [runtime('ruby')] })
  await harness.addPipeline('expecting', { expecting: build('relaunch?if=needed') }, { expects: [runtime('node')] })
  await harness.addPipeline('dance', { dance: build('relaunch') })
  harness.start()
})
afterEach(() => harness.close())

/** Asks for the runtime, and then puts into the data what it sees. */
function build(relaunch: string) {
  return async (context: FakeContext) => {
    const { url, plan } = context
    launched.push(namesOf(context))
    const { dependencies } = JSON.parse(await call(url, 'GET /meta')) as { dependencies: Capability[] }
    if (!dependencies.some(({ name }) => name === wish.name)) {
      if (wish.variable === true) await change(url, { resource: 'environment', action: 'add', key: 'MODE', value: 'x' })
      await change(url, capability('add', wish.name))
      if ((await call(url, `POST /${relaunch}`)) === 'OK') return
    }
    const { NODE = '', MODE = '', STAGER_BASE = '' } = plan.environment
    const data = JSON.stringify({
      source: await call(url, 'GET /data'),
      sees: namesOf(context),
      NODE,
      MODE,
      STAGER_BASE,
    })
    await call(url, `POST /data?sha256=${createHash('sha256').update(data).digest('hex')}`, data)
    if (wish.forStagingOnly === true) await change(url, capability('remove', wish.name))
    await call(url, 'POST /done')
  }
}

async function stage(name = 'app', pipeline = 'expecting') {
  const { uuid } = await harness.submit(name, pipeline)
  return await harness.ended(uuid)
}

async function made(name: string) {
  const { dependencies, environment, provides, templates } = await harness.packages.get(root(name))
  return { dependencies, environment, provides, templates, data: await harness.data(name) }
}

describe('a package without dependencies', () => {
  it('is staged at once on what its stager expects', async () => {
    expect(await stage()).toMatchObject({ state: 'succeeded', relaunches: 0 })
    expect(launched).toEqual([['node-20']])
    expect((await made('app')).dependencies).toEqual([runtime('node')])
  })

  it('is staged at once where it asks for a version that is the expected one', async () => {
    wish = { name: 'node-20' }
    await stage()
    expect(launched).toEqual([['node-20']])
    expect((await made('app')).dependencies).toEqual([runtime('node-20')])
  })

  it.each(['node-18', 'ruby'])('is relaunched where it asks for %s, and has nothing else then', async (name) => {
    wish = { name }
    expect((await stage()).state).toBe('succeeded')
    expect(launched).toEqual([['node-20'], [name]])
  })

  it.each<Wish>([
    { name: 'node' },
    { name: 'node-18' },
    { name: 'node-20' },
    { name: 'ruby' },
    { name: 'node-20', variable: true },
    { name: 'node-20', forStagingOnly: true },
    { name: 'node-18', forStagingOnly: true },
  ])('becomes what the dance of relaunches makes of it, for %j', async (one) => {
    wish = one
    await stage('app', 'expecting')
    await stage('plain', 'dance')
    const plain = await made('plain')
    // Each program provides an operating system of its own.
    const without = ({ data, ...rest }: typeof plain) => ({
      ...rest,
      data: { ...(JSON.parse(data) as object), source: '', STAGER_BASE: '' },
    })
    expect(without(await made('app'))).toEqual(without(plain))
  })

  it('is staged without it where that has no solution', async () => {
    for (const name of ['node-18', 'node-20']) await harness.packages.delete(root(name))
    wish = { name: 'ruby' }
    expect((await stage()).state).toBe('succeeded')
    expect(launched).toEqual([[], ['ruby']])
  })

  it('is staged without it where a policy refuses it', async () => {
    await harness.putPolicy('job::/ { package.retire "package::/::node-20" package.retire "package::/::node-18" }')
    wish = { name: 'ruby' }
    expect((await stage()).state).toBe('succeeded')
    expect(launched).toEqual([[], ['ruby']])
  })

  it('gets what policy prefers', async () => {
    await harness.putPolicy(
      'on job::/ { if (dependency equals runtime.node) { package.default "package::/::node-18" } }',
    )
    await stage()
    expect(launched).toEqual([['node-18']])
  })
})

it('a package with dependencies has no others', async () => {
  await harness.packages.update(root('app'), { dependencies: [runtime('ruby')] })
  wish = { name: 'ruby' }
  await stage()
  expect(launched).toEqual([['ruby']])
})

it('a variable of the package that its stager has set needs the relaunch', async () => {
  wish = { name: 'node', variable: true }
  await stage()
  expect(launched).toEqual([['node-20'], ['node-20']])
  expect(JSON.parse(await harness.data('app'))).toMatchObject({ MODE: 'x' })
})

it('a stager that asks on and on is relaunched in the end', async () => {
  const answers: string[] = []
  const asking = async ({ url }: FakeContext) => {
    for (;;) {
      answers.push(await call(url, 'POST /relaunch?if=needed'))
      if (answers.at(-1) === 'OK') return
    }
  }
  await harness.addPipeline('asking', { asking })
  expect((await stage('app', 'asking')).failure).toMatchObject({ cause: 'relaunch-limit' })
  expect(answers.slice(0, 4)).toEqual(['NOT NEEDED', 'NOT NEEDED', 'NOT NEEDED', 'OK'])
})

describe('the result of a staging that went on', () => {
  it('answers the next one', async () => {
    const first = await stage()
    expect((await again()).reused).toBe(first.uuid)
  })

  it('does not when the expected dependency is another one', async () => {
    await stage()
    await harness.putPolicy(
      'on job::/ { if (dependency equals runtime.node) { package.default "package::/::node-18" } }',
    )
    expect((await again()).reused).toBeUndefined()
  })

  it('does not when the stager would have to be relaunched now, although it needed the dependency only while it staged', async () => {
    wish = { name: 'node-20', forStagingOnly: true }
    const first = await stage()
    expect((await again()).reused).toBe(first.uuid)
    // What is expected stays, and what was asked for is another package.
    await harness.addPackage('node-20b', { provides: [runtime('node-20')] })
    await harness.putPolicy(
      'on job::/ { if (dependency equals runtime.node-20) { package.default "package::/::node-20b" } }',
    )
    launched = []
    expect((await again()).reused).toBeUndefined()
    expect(launched).toEqual([['node-20'], ['node-20b']])
  })

  /** The same source once more. */
  async function again() {
    const { results } = await harness.parts.store.results.history(root('app'))
    const resource = results.at(-1)?.making?.input.resource
    if (!resource) throw new Error('the package has no result')
    const source = { resource, dependencies: undefined, environment: undefined }
    const { uuid } = await harness.submit('app', 'expecting', { source })
    return await harness.ended(uuid)
  }
})
