import { createHash } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { StagingSource } from '../../../daemon/model/staging.js'
import type { SubmitOptions } from '../../../daemon/staging/staging-service.js'
import type { StagerDraft } from '../../../daemon/store/repositories.js'
import type { FakeStager } from '../../support/fake-isolation.js'
import { call, StagingHarness } from '../../support/staging-harness.js'

let harness: StagingHarness
/** The stagers that have run since the last staging was submitted. */
let ran: string[]

beforeEach(async () => {
  harness = await StagingHarness.open()
  await harness.addPackage('app', { state: 'uploaded' })
})
afterEach(() => harness.close())

const root = (name: string) => ({ namespace: '/', name })
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const upload = (url: string, data: string) => call(url, `POST /data?sha256=${sha256(data)}`, data)
const put = (url: string, form: Record<string, string>) => call(url, 'PUT /meta', new URLSearchParams(form))
const setVariable = (url: string, key: string, value: string) =>
  put(url, { resource: 'environment', action: 'add', key, value })

/** Adds its name, and the value of its own variable, to the data. */
function stager(name: string, more: (url: string) => Promise<unknown> = () => Promise.resolve()): FakeStager {
  return async ({ url, plan }) => {
    ran.push(name)
    await more(url)
    await upload(url, `${await call(url, 'GET /data')}, ${name}${plan.environment.VALUE ?? ''}`)
    await call(url, 'POST /done')
  }
}

async function addPipeline(stagers: Readonly<Record<string, FakeStager>>, options: Partial<StagerDraft> = {}) {
  await harness.addPipeline('pipe', stagers, options)
  harness.start()
}

const addThree = (options: Partial<StagerDraft> = {}) =>
  addPipeline({ one: stager('one'), two: stager('two'), three: stager('three') }, options)

/** What changes a stager: a variable of its own. */
const change = (name: string, value: string) =>
  harness.parts.stagers.update(root(name), { environment: { VALUE: value } })

async function stage(text = 'v1', options: SubmitOptions = {}) {
  ran = []
  const blob = await harness.parts.blobs.write(Readable.from([Buffer.from(text)]))
  const resource = { uuid: crypto.randomUUID(), ...blob, compression: 'gzip' as const, removals: [] }
  const source: StagingSource = { resource, dependencies: undefined, environment: undefined }
  const { uuid } = await harness.submit('app', 'pipe', { source, ...options })
  const ended = await harness.ended(uuid)
  expect(ended.state).toBe('succeeded')
  return ended
}

async function outputs() {
  const { results } = await harness.parts.store.results.history(root('app'))
  const ofResults = results.flatMap(({ content, making }) => [content.resource.sha256, making?.input.resource.sha256])
  return (await harness.parts.store.references.history()).filter((one) => !ofResults.includes(one)).sort()
}

const fileOf = (data: string) => path.join(harness.directory, 'blobs', 'sha256', sha256(data).slice(0, 2), sha256(data))

describe('a staging begins with the first stager that would be given something else', () => {
  it('which is the last one, if only that has changed', async () => {
    await addThree()
    const first = await stage()
    await change('three', '!')
    const second = await stage()
    expect(ran).toEqual(['three'])
    expect(second).toMatchObject({ reused: undefined, takenOver: { staging: first.uuid, stagers: 2 }, step: 2 })
    expect(second.launches).toMatchObject([{ step: 2, state: 'done' }])
    expect(await harness.data('app')).toBe('v1, one, two, three!')
    expect(await harness.log(second.uuid)).toContain(
      `Reused what 'one', 'two' have made in staging ${first.uuid}: nothing that they were given has changed.`,
    )
  })

  it('which is one in the middle, if that has changed', async () => {
    await addThree()
    await stage()
    await change('two', '!')
    expect((await stage()).takenOver?.stagers).toBe(1)
    expect(ran).toEqual(['two', 'three'])
    expect(await harness.data('app')).toBe('v1, one, two!, three')
  })

  it('which is the first one, if that has changed, or the source', async () => {
    await addThree()
    await stage()
    await change('one', '!')
    expect((await stage()).takenOver).toBeUndefined()
    expect((await stage('v2')).takenOver).toBeUndefined()
    expect(ran).toEqual(['one', 'two', 'three'])
  })

  it('which is the first one of its pipeline that the earlier pipeline did not have', async () => {
    await addThree()
    await stage()
    const found = await Promise.all(['one', 'three'].map((name) => harness.parts.stagers.get(root(name))))
    await harness.parts.pipelines.update(root('pipe'), { stagers: found.map(({ uuid }) => uuid) })
    await stage()
    expect(ran).toEqual(['three'])
    expect(await harness.data('app')).toBe('v1, one, three')
  })

  it('again and again, and what it has made answers a staging with nothing changed', async () => {
    await addThree()
    await stage()
    for (const value of ['2', '3', '4']) {
      await change('three', value)
      await stage()
      expect(ran).toEqual(['three'])
    }
    const answered = await stage()
    expect(answered.launches).toEqual([])
    expect(answered.reused).toBeDefined()
    await change('two', '!')
    await stage()
    expect(ran, 'on what was taken over').toEqual(['two', 'three'])
  })

  it('after a relaunch of a stager before it, whose runtime is the same', async () => {
    await harness.addPackage('node-18', { provides: [{ type: 'runtime', name: 'node' }] })
    const relaunched: FakeStager = async (context) => {
      const { dependencies } = JSON.parse(await call(context.url, 'GET /meta')) as { dependencies: unknown[] }
      if (dependencies.length > 0) {
        await stager('one')(context)
        return
      }
      ran.push('before')
      await put(context.url, { resource: 'dependencies', action: 'add', type: 'runtime', name: 'node' })
      await call(context.url, 'POST /relaunch')
    }
    await addPipeline({ one: relaunched, two: stager('two') })
    await stage()
    expect(ran).toEqual(['before', 'one', 'two'])
    await change('two', '!')
    await stage()
    expect(ran).toEqual(['two'])
    expect((await harness.packages.get(root('app'))).dependencies).toHaveLength(1)
    await harness.packages.update(root('node-18'), { environment: { NODE: '18' } })
    await stage()
    expect(ran, 'with another runtime').toEqual(['one', 'two'])
  })

  it('and not at all, if its user asks for that', async () => {
    await addThree()
    await stage()
    await change('three', '!')
    expect((await stage('v1', { reuse: false })).takenOver).toBeUndefined()
    expect(ran).toEqual(['one', 'two', 'three'])
  })

  it('also when the daemon was restarted', async () => {
    await addThree()
    await stage()
    await harness.restart()
    await change('three', '!')
    await stage()
    expect(ran).toEqual(['three'])
  })
})

describe('the metadata that it goes on with', () => {
  it('are those that the stager before had left', async () => {
    const seen: unknown[] = []
    const look = async (url: string) => {
      seen.push((JSON.parse(await call(url, 'GET /meta')) as { environment: unknown }).environment)
    }
    await addPipeline({ one: stager('one', (url) => setVariable(url, 'ONE', '1')), two: stager('two', look) })
    await stage()
    await change('two', '!')
    await stage()
    expect(ran).toEqual(['two'])
    expect(seen).toEqual([{ ONE: '1' }, { ONE: '1' }])
  })

  it('have what the last stager has left in the package, as they would if all stagers ran', async () => {
    const seen: unknown[] = []
    const last = stager('two', async (url) => {
      seen.push((JSON.parse(await call(url, 'GET /meta')) as { environment: unknown }).environment)
      await setVariable(url, 'TWO', '2')
    })
    await addPipeline({ one: stager('one', (url) => setVariable(url, 'ONE', '1')), two: last })
    await stage()
    await change('two', '!')
    await stage()
    expect(ran).toEqual(['two'])
    expect((await stage()).reused, 'it is made from these').toBeDefined()
    await stage('v1', { reuse: false })
    expect(seen).toEqual([{ ONE: '1' }, { ONE: '1', TWO: '2' }, { ONE: '1', TWO: '2' }])
  })

  it('are not known where a later stager has changed what an earlier one had set: all run then', async () => {
    const set = (name: string) => stager(name, (url) => setVariable(url, 'BY', name))
    await addPipeline({ one: set('one'), two: set('two') })
    await stage()
    await change('two', '!')
    expect((await stage()).takenOver).toBeUndefined()
    expect(ran).toEqual(['one', 'two'])
    await change('two', '?')
    await stage()
    expect(ran, 'it begins as the last one did').toEqual(['two'])
  })

  it('are no help if a later stager has added a dependency that is another package now: all run then', async () => {
    await harness.addPackage('tool', { provides: [{ type: 'runtime', name: 'tool' }] })
    const add = (url: string) => put(url, { resource: 'dependencies', action: 'add', type: 'runtime', name: 'tool' })
    await addPipeline({ one: stager('one'), two: stager('two', add), three: stager('three') })
    await stage()
    await change('three', '2')
    await stage()
    expect(ran).toEqual(['three'])
    await change('three', '3')
    await harness.packages.update(root('tool'), { environment: { TOOL: '2' } })
    await stage()
    expect(ran, 'the first stager has it at /stagerfs now').toEqual(['one', 'two', 'three'])
  })

  it('are not known where somebody has changed them since: all run then', async () => {
    await addPipeline({ one: stager('one', (url) => setVariable(url, 'ONE', '1')), two: stager('two') })
    await stage()
    await harness.packages.update(root('app'), { environment: { ONE: 'other' } })
    await change('two', '!')
    await stage()
    expect(ran).toEqual(['one', 'two'])
  })
})

describe('what a stager makes is never taken over', () => {
  it('if it has egress and does not declare itself reproducible, or comes after such a one', async () => {
    await addThree()
    await harness.parts.stagers.update(root('two'), { egress: true })
    await stage()
    await change('three', '!')
    await stage()
    expect(ran, 'but the one before it').toEqual(['two', 'three'])
  })

  it('if it had declared itself reproducible, and does not any more', async () => {
    await addThree({ egress: true, reproducible: true })
    await stage()
    await change('three', '!')
    await stage()
    expect(ran).toEqual(['three'])
    await harness.parts.stagers.update(root('two'), { reproducible: false })
    await stage()
    expect(ran).toEqual(['two', 'three'])
  })

  it('if it has said that this result is not reproducible', async () => {
    const install: FakeStager = async ({ url }) => {
      ran.push('install')
      await call(url, 'POST /done?reproducible=no')
    }
    await addPipeline({ one: stager('one'), install, three: stager('three') })
    await stage()
    await change('three', '!')
    await stage()
    expect(ran).toEqual(['install', 'three'])
  })

  it('if the staging was given secrets, or is', async () => {
    await addPipeline({ one: stager('one'), two: stager('two') }, { secrets: ['TOKEN'] })
    await harness.parts.stagers.update(root('one'), { secrets: [] })
    const secrets = new Map([['TOKEN', Buffer.from('a-secret')]])
    await stage('v1', { secrets })
    expect(await outputs()).toEqual([])
    await change('two', '!')
    await stage()
    expect(ran, 'after one with secrets').toEqual(['one', 'two'])
    await change('two', '?')
    await stage('v1', { secrets })
    expect(ran, 'with secrets').toEqual(['one', 'two'])
  })
})

describe('an output that is kept', () => {
  it('is that of each stager but the last one of the newest result, and of no other staging', async () => {
    await addThree()
    await stage()
    expect(await outputs()).toEqual([sha256('v1, one'), sha256('v1, one, two')].sort())
    await stage('v2')
    expect(await outputs()).toEqual([sha256('v2, one'), sha256('v2, one, two')].sort())
    await change('three', '!')
    await stage('v2')
    expect(await outputs(), 'taken over').toEqual([sha256('v2, one'), sha256('v2, one, two')].sort())
  })

  it('of a staging that fails is removed with it', async () => {
    await addPipeline({
      one: stager('one'),
      two: async ({ url }) => {
        ran.push('two')
        await call(url, (await call(url, 'GET /data')).startsWith('bad') ? 'POST /failed' : 'POST /done')
      },
    })
    await stage('good')
    await expect(stage('bad')).rejects.toThrow()
    expect(await outputs()).toEqual([])
    // When everything of the launch is released.
    await expect.poll(() => harness.parts.blobs.has(sha256('bad, one'))).toBe(false)
  })

  it.each([
    ['damaged', (file: string) => writeFile(file, 'damaged')],
    ['gone', (file: string) => rm(file)],
  ])('and is %s is found, and the one before it is used, or none', async (_what, damage) => {
    await addThree()
    await stage()
    await change('three', '2')
    await damage(fileOf('v1, one, two'))
    await stage()
    expect(ran).toEqual(['two', 'three'])
    expect(await harness.data('app')).toBe('v1, one, two, three2')

    await change('three', '3')
    for (const data of ['v1, one', 'v1, one, two']) await damage(fileOf(data))
    await stage()
    expect(ran).toEqual(['one', 'two', 'three'])
    expect(await harness.data('app')).toBe('v1, one, two, three3')
    await change('three', '4')
    await stage()
    expect(ran, 'it was made again').toEqual(['three'])
  })

  it('stays for a staging that goes on after a restart of the daemon', async () => {
    let started!: () => void
    const launched = new Promise<void>((resolve) => {
      started = resolve
    })
    let hang = false
    const last = stager('two', async (url) => {
      if (!hang) return
      started()
      await call(url, 'GET /data')
      await new Promise((resolve) => setTimeout(resolve, 60_000).unref())
    })
    await addPipeline({ one: stager('one'), two: last })
    await stage()
    await change('two', '!')
    hang = true
    ran = []
    const blob = await harness.parts.blobs.write(Readable.from([Buffer.from('v1')]))
    const resource = { uuid: crypto.randomUUID(), ...blob, compression: 'gzip' as const, removals: [] }
    const { uuid } = await harness.submit('app', 'pipe', {
      source: { resource, dependencies: undefined, environment: undefined },
    })
    await launched
    hang = false
    await harness.restart()
    const ended = await harness.ended(uuid)
    expect(ended).toMatchObject({ state: 'succeeded', takenOver: { stagers: 1 } })
    expect(ran).toEqual(['two', 'two'])
    expect(await harness.data('app')).toBe('v1, one, two!')
  })
})
