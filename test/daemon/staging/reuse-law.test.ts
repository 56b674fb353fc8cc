import { createHash } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Capability } from '../../../daemon/packages/metadata.js'
import type { FakeContext } from '../../support/fake-isolation.js'
import { lawRun } from '../../support/law-run.js'
import { call, StagingHarness } from '../../support/staging-harness.js'

/**
 * LAW: A package that is staged with reuse, and with what its stagers have kept, is always the package that it would be
 * without.
 *
 * Two packages go through the same random changes and stagings, one with reuse and a cache, and one without. The stagers
 * are functions of all that they are given: whatever they see is in the data that they make. So an answer from before any
 * change that a stager can see makes a difference here, and so does a beginning with the output of a stager that would see
 * something else, and an entry of a cache that was kept for something else.
 */

const law = lawRun({ runs: 5, msPerRun: 4_000 })

/** An application with its lock file. */
const SOURCES = ['a 1', 'a 1', 'a 1', 'b 1', 'a 2'] as const
const RUNTIMES = ['node-18', 'node-20'] as const
const [NODE, OTHER] = [
  { type: 'runtime', name: 'node' },
  { type: 'os', name: 'os-x' },
] as const satisfies Capability[]
const POLICIES = [
  'job::/none { package.retire "package::/::node-18" }',
  'on job::/ { if (dependency equals runtime.node) { package.default "package::/::node-20" } }',
  'job::/ { package.retire "package::/::node-18" }',
] as const

type Change =
  | { readonly what: 'runtime-data' | 'runtime-environment'; readonly name: string; readonly value: string }
  | { readonly what: 'policy'; readonly text: string }
  | {
      readonly what: 'stager-environment' | 'last-environment' | 'program' | 'user' | 'command' | 'package-environment'
      readonly value: string
    }
  | { readonly what: 'memory'; readonly value: number }
  | { readonly what: 'pipeline'; readonly stagers: readonly string[] }
  | { readonly what: 'expects'; readonly expects: readonly Capability[] }
  | { readonly what: 'no-dependencies' }
  | { readonly what: 'egress'; readonly egress: boolean; readonly reproducible: boolean }
  | { readonly what: 'restart' }
  | { readonly what: 'cache'; readonly damage: keyof typeof DAMAGES }
  | { readonly what: 'output'; readonly damage: 'gone' | 'changed'; readonly place: number }

/** What becomes of an entry of a cache. */
const DAMAGES = {
  gone: () => [],
  changed: (name: string, text: string): [string, string][] => [[name, text.replace(/[a-z0-9]$/, '_')]],
  'cut short': (name: string, text: string): [string, string][] => [[name, text.slice(0, 5)]],
  empty: (name: string): [string, string][] => [[name, '']],
} satisfies Readonly<Record<string, (name: string, text: string) => [string, string][]>>

const value = fc.constantFrom('x', 'y')
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    what: fc.constantFrom('runtime-data' as const, 'runtime-environment' as const),
    name: fc.constantFrom(...RUNTIMES),
    value,
  }),
  fc.record({ what: fc.constant('policy' as const), text: fc.constantFrom(...POLICIES) }),
  {
    weight: 5,
    arbitrary: fc.record({
      what: fc.constantFrom(
        'stager-environment' as const,
        'program' as const,
        'user' as const,
        'command' as const,
        'package-environment' as const,
      ),
      value,
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({ what: fc.constant('last-environment' as const), value: fc.constantFrom('x', 'y', 'z') }),
  },
  fc.record({
    what: fc.constant('output' as const),
    damage: fc.constantFrom('gone' as const, 'changed' as const),
    place: fc.nat({ max: 5 }),
  }),
  fc.record({ what: fc.constant('memory' as const), value: fc.constantFrom(1 << 27, 1 << 28) }),
  fc.record({
    what: fc.constant('pipeline' as const),
    stagers: fc.constantFrom(['one'], ['one', 'two'], ['two', 'one'], ['one', 'two', 'three'], ['two', 'three']),
  }),
  fc.record({ what: fc.constant('expects' as const), expects: fc.constantFrom([], [NODE], [OTHER]) }),
  fc.constant({ what: 'no-dependencies' as const }),
  fc.record({ what: fc.constant('egress' as const), egress: fc.boolean(), reproducible: fc.boolean() }),
  fc.constant({ what: 'restart' as const }),
  fc.record({
    what: fc.constant('cache' as const),
    damage: fc.constantFrom(...(Object.keys(DAMAGES) as (keyof typeof DAMAGES)[])),
  }),
)

interface Step {
  readonly changes: readonly Change[]
  readonly source: string
  /** `-e` of the staging. */
  readonly mode: string | undefined
}

const step: fc.Arbitrary<Step> = fc.record({
  changes: fc.array(change, { maxLength: 1 }),
  source: fc.constantFrom(...SOURCES),
  mode: fc.constantFrom(undefined, undefined, 'dev'),
})

/** Launches, beginnings with the last stager on either kind of metadata, and an answer as a whole. */
const EACH_WAY: Step[] = [
  { changes: [], source: 'a 1', mode: undefined },
  { changes: [{ what: 'last-environment', value: 'x' }], source: 'a 1', mode: undefined },
  { changes: [{ what: 'last-environment', value: 'y' }], source: 'a 1', mode: undefined },
  { changes: [], source: 'a 1', mode: undefined },
]

const root = (name: string) => ({ namespace: '/', name })
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

let restored = 0
let wentOn = 0

/** What the lock file asks for, as the stagers that ship keep it: an entry counts only if its digest is in its name. */
function install({ cache, plan }: FakeContext, lock: string): string {
  const key = sha256(`${lock} ${plan.environment.STAGER_BASE ?? ''}`)
  for (const [name, text] of [...cache].filter(([one]) => one.startsWith(key))) {
    if (name === `${key}-${sha256(text)}`) {
      restored += 1
      return text
    }
    cache.delete(name)
  }
  const installed = `${lock} on ${plan.environment.STAGER_BASE ?? ''}`
  cache.set(`${key}-${sha256(installed)}`, installed)
  return installed
}

/**
 * A stager that asks for its runtime once, and then puts all that it sees into the data. Whether it was relaunched, or went
 * on with what it expected, makes no difference but in the runtimes that it could choose from.
 */
function stager(program: string) {
  return async (context: FakeContext) => {
    const { url, plan } = context
    const put = (form: Record<string, string>) => call(url, 'PUT /meta', new URLSearchParams(form))
    const meta = JSON.parse(await call(url, 'GET /meta')) as {
      dependencies: Capability[]
      provides: unknown[]
      environment: Record<string, string>
    }
    if (!meta.dependencies.some(({ name }) => name === 'node')) {
      await put({ resource: 'dependencies', action: 'add', type: 'runtime', name: 'node' })
      if ((await call(url, 'POST /relaunch?if=needed')) === 'OK') return
      wentOn += 1
      meta.dependencies.push(NODE)
    }
    const layers = (list: readonly { readonly sha256: string }[] = []) => list.map((layer) => layer.sha256)
    // Its own word from before is no input: a stager that is given it again makes the same.
    const without = (variables: Readonly<Record<string, string>>) =>
      Object.entries(variables).filter(([name]) => !name.startsWith('STAGED') && name !== 'STAGER_URL')
    const source = await call(url, 'GET /data')
    const seen = JSON.stringify({
      program,
      source,
      installed: install(context, source.split(' ')[1] ?? ''),
      meta: { ...meta, environment: without(meta.environment) },
      environment: without({ ...plan.environment, no_proxy: '', NO_PROXY: '' }),
      limits: plan.limits,
      user: plan.user,
      egress: plan.egress,
      root: layers(plan.root),
      stagerfs: layers(plan.stagerfs),
    })
    // Some have the same variable: then a later stager changes what an earlier one has left.
    const key = ['one x', 'three'].includes(program) ? 'STAGED' : `STAGED_${program.replace(' ', '_')}`
    await put({ resource: 'environment', action: 'add', key, value: sha256(seen) })
    await call(url, `POST /data?sha256=${sha256(seen)}`, seen)
    await call(url, 'POST /done')
  }
}

async function open(): Promise<StagingHarness> {
  const harness = await StagingHarness.open()
  for (const name of ['with', 'without']) await harness.addPackage(name, { state: 'uploaded' })
  for (const name of RUNTIMES) await harness.addPackage(name, { provides: [{ type: 'runtime', name: 'node' }] })
  for (const name of ['x', 'y'])
    await harness.addPackage(`program-${name}`, { provides: [{ type: 'os', name: `os-${name}` }] })
  const [one, two, three] = [stager('one'), stager('two'), stager('three')]
  await harness.addPipeline('pipe', { one, two, three })
  await harness.parts.stagers.update(root('one'), { expects: [NODE] })
  for (const name of ['x', 'y']) harness.isolation.stagers.set(`./one ${name}`, stager(`one ${name}`))
  harness.start()
  return harness
}

async function clearCaches(harness: StagingHarness, name: string): Promise<void> {
  const { uuid } = await harness.packages.get(root(name))
  for (const id of harness.isolation.stagerCacheFiles.keys())
    if (id.startsWith(uuid)) harness.isolation.stagerCacheFiles.delete(id)
}

async function resourceOf(harness: StagingHarness, text: string) {
  const blob = await harness.parts.blobs.write(Readable.from([Buffer.from(text)]))
  return { uuid: crypto.randomUUID(), ...blob, compression: 'gzip' as const, removals: [] }
}

async function carryOut(harness: StagingHarness, change: Change): Promise<void> {
  const { stagers, pipelines } = harness.parts
  switch (change.what) {
    case 'runtime-data':
      return void (await harness.packages.attach(root(change.name), await resourceOf(harness, change.value), 'ready'))
    case 'runtime-environment':
      return void (await harness.packages.update(root(change.name), { environment: { VALUE: change.value } }))
    case 'policy': {
      await harness.putPolicy(change.text)
      return
    }
    case 'stager-environment':
      return void (await stagers.update(root('one'), { environment: { VALUE: change.value } }))
    case 'last-environment':
      return void (await stagers.update(root('three'), { environment: { VALUE: change.value } }))
    case 'output': {
      const results = (await harness.parts.store.results.history(root('with'))).results
      const ofResults = results.flatMap(({ content, making }) => [content.resource, making?.input.resource])
      const outputs = (await harness.parts.store.references.history()).filter(
        (sha256) => !ofResults.some((one) => one?.sha256 === sha256),
      )
      const sha256 = outputs[change.place]
      if (sha256 === undefined) return
      const file = path.join(harness.directory, 'blobs', 'sha256', sha256.slice(0, 2), sha256)
      await (change.damage === 'gone' ? rm(file, { force: true }) : writeFile(file, 'damaged'))
      return
    }
    case 'program': {
      const { uuid } = await harness.packages.get(root(`program-${change.value}`))
      await harness.giveProgram('one', uuid)
      return
    }
    case 'user':
      return void (await stagers.update(root('one'), { user: change.value }))
    case 'command':
      return void (await stagers.update(root('one'), { startCommand: `./one ${change.value}` }))
    case 'package-environment':
      for (const name of ['with', 'without'])
        await harness.packages.update(root(name), ({ environment }) => ({
          environment: { ...environment, VALUE: change.value },
        }))
      return
    case 'memory':
      return void (await stagers.update(root('one'), ({ limits }) => ({
        limits: { ...limits, memoryBytes: change.value },
      })))
    case 'pipeline': {
      const found = await Promise.all(change.stagers.map((name) => stagers.get(root(name))))
      return void (await pipelines.update(root('pipe'), { stagers: found.map(({ uuid }) => uuid) }))
    }
    case 'expects':
      return void (await stagers.update(root('one'), { expects: change.expects }))
    case 'no-dependencies':
      for (const name of ['with', 'without']) await harness.packages.update(root(name), { dependencies: [] })
      return
    case 'egress': {
      const { egress, reproducible } = change
      return void (await stagers.update(root('one'), { egress, reproducible }))
    }
    case 'restart': {
      await harness.restart()
      return
    }
    case 'cache': {
      const { stagerCacheFiles } = harness.isolation
      for (const [id, files] of stagerCacheFiles)
        stagerCacheFiles.set(id, new Map([...files].flatMap(([name, text]) => DAMAGES[change.damage](name, text))))
      return
    }
  }
}

it(
  'a package that is staged with reuse and a cache is always the package that it would be without',
  { timeout: law.timeout },
  async () => {
    let reused = 0
    let tookOver = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 10 }), async (steps) => {
        const harness = await open()
        try {
          for (const { changes, source, mode } of steps) {
            for (const one of changes) await carryOut(harness, one)
            const resource = await resourceOf(harness, source)
            const environment = mode === undefined ? undefined : { MODE: mode }
            const staged = []
            for (const name of ['with', 'without']) {
              // The other package has no cache.
              if (name === 'without') await clearCaches(harness, name)
              const options = { source: { resource, dependencies: undefined, environment }, reuse: name === 'with' }
              const { uuid } = await harness.service.submit(root(name), root('pipe'), options)
              const { state, reused: from, takenOver } = await harness.ended(uuid)
              if (from !== undefined) reused += 1
              if (takenOver) tookOver += 1
              const found = await harness.packages.get(root(name))
              const { dependencies, provides, environment: variables, templates } = found
              staged.push({
                state,
                packageState: found.state,
                data: await harness.data(name),
                metadata: { dependencies, provides, environment: variables, templates },
              })
            }
            expect(staged[0]).toEqual(staged[1])
          }
        } finally {
          await harness.close()
        }
      }),
      { ...law.parameters, ...(law.parameters.path === undefined ? { examples: [[EACH_WAY]] } : {}) },
    )
    expect(reused, 'stagings that were answered: without any, the law says nothing').toBeGreaterThan(0)
    expect(tookOver, 'stagings that began in the middle: the same').toBeGreaterThan(0)
    expect(restored, 'what was kept: the same').toBeGreaterThan(0)
    expect(wentOn, 'relaunches that were not needed: the same').toBeGreaterThan(0)
  },
)
