import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isTerminal } from '../../../daemon/model/staging.js'
import type { SubmitOptions } from '../../../daemon/staging/staging-service.js'
import type { FakeContext, FakeStager } from '../../support/fake-isolation.js'
import { call, StagingHarness } from '../../support/staging-harness.js'

const SECRET = 'npm_0123456789abcdef'
const secrets = new Map([['NPM_TOKEN', Buffer.from(SECRET)]])

let harness: StagingHarness
/** What each launch has found. */
let found: Record<string, string>[]

beforeEach(async () => {
  harness = await StagingHarness.open()
  found = []
  await harness.addPackage('app', { state: 'uploaded' })
})
afterEach(() => harness.close())

const look: FakeStager = async ({ url, secrets: given }) => {
  found.push(Object.fromEntries(given))
  await call(url, 'POST /done')
}

const fails: FakeStager = async ({ print, exit }) => {
  await print('failing')
  exit(3)
}

const stage = async (options: SubmitOptions = { secrets }) =>
  await harness.ended((await harness.submit('app', 'pipe', options)).uuid)

const stager = async (name: string) => await harness.parts.stagers.get({ namespace: '/', name })

const sealed = async (uuid: string) => await harness.parts.store.secrets.ofStaging(uuid)

/** All bytes that are kept. */
async function kept(): Promise<Buffer> {
  const entries = await readdir(harness.directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name))
  return Buffer.concat(await Promise.all(files.map((file) => readFile(file))))
}

describe('the secrets of a staging', () => {
  it('are given to the launches of the stagers that take them, and to no other', async () => {
    await harness.addPipeline('pipe', { one: look, two: look })
    await harness.parts.stagers.update({ namespace: '/', name: 'two' }, { secrets: ['NPM_TOKEN', 'OTHER'] })
    harness.start()
    const { state, secrets: names } = await stage()
    expect([state, names]).toEqual(['succeeded', ['NPM_TOKEN']])
    expect(found).toEqual([{}, { NPM_TOKEN: SECRET }])
  })

  it('wait sealed, also for a daemon that takes the staging up later, and are deleted at its end', async () => {
    await harness.addPipeline('pipe', { one: look }, { secrets: ['NPM_TOKEN'] })
    const { uuid } = await harness.submit('app', 'pipe', { secrets })
    expect(await sealed(uuid)).toBeDefined()
    expect((await kept()).includes(SECRET)).toBe(false)
    await harness.crash({ admitted: 1 })
    expect(await sealed(uuid)).toBeDefined()
    harness.start()
    expect((await harness.ended(uuid)).state).toBe('succeeded')
    expect(found).toEqual([{ NPM_TOKEN: SECRET }])
    expect(await sealed(uuid)).toBeUndefined()
  })

  it.each([
    ['has failed', () => Promise.resolve()],
    ['was cancelled in the queue', async (uuid: string) => void (await harness.service.cancel(uuid))],
  ])('are deleted when it %s', async (_how, end) => {
    await harness.addPipeline('pipe', { one: fails }, { secrets: ['NPM_TOKEN'] })
    const { uuid } = await harness.submit('app', 'pipe', { secrets })
    await end(uuid)
    harness.start()
    expect(isTerminal((await harness.ended(uuid)).state)).toBe(true)
    expect(await sealed(uuid)).toBeUndefined()
  })

  it('are there for a relaunch', async () => {
    const twice: FakeStager = async (context) => {
      found.push(Object.fromEntries(context.secrets))
      await call(context.url, found.length === 1 ? 'POST /relaunch' : 'POST /done')
    }
    await harness.addPipeline('pipe', { one: twice }, { secrets: ['NPM_TOKEN'] })
    harness.start()
    await stage()
    expect(found).toEqual([{ NPM_TOKEN: SECRET }, { NPM_TOKEN: SECRET }])
  })

  it('fail the staging where they cannot be opened, as after a restore, with a sentence', async () => {
    await harness.addPipeline('pipe', { one: look }, { secrets: ['NPM_TOKEN'] })
    const { uuid } = await harness.submit('app', 'pipe', { secrets })
    await harness.parts.store.backups.copyTo(path.join(harness.directory, 'backup.db'))
    await harness.service.cancel(uuid)
    await harness.parts.store.backups.replaceBy(path.join(harness.directory, 'backup.db'), true)
    harness.start()
    const { failure } = await harness.ended(uuid)
    expect(failure).toMatchObject({ cause: 'infrastructure' })
    expect(failure?.message).toContain('The secrets of the staging (NPM_TOKEN) are not there, as after a restore')
    expect(found).toEqual([])
  })

  it.each([
    ['no stager takes', { secrets: new Map([['OTHER', Buffer.from(SECRET)]]) }, 'secret-not-taken'],
    ['have no name for a file', { secrets: new Map([['../x', Buffer.from(SECRET)]]) }, 'secret-not-taken'],
    ['cannot be hidden', { secrets: new Map([['NPM_TOKEN', Buffer.from('abc\n')]]) }, 'secret-too-short'],
    ['are too large', { secrets: new Map([['NPM_TOKEN', Buffer.alloc(64 * 1024 + 1)]]) }, 'secret-too-large'],
    ['would be kept with a container', { secrets, keepFailedMs: 60_000 }, 'secrets-not-kept'],
  ])('are refused if they %s, and nothing is queued', async (_what, options, code) => {
    await harness.addPipeline('pipe', { one: look }, { secrets: ['NPM_TOKEN'] })
    await expect(harness.submit('app', 'pipe', options)).rejects.toMatchObject({ code })
    expect(await harness.parts.ledger.list({})).toEqual([])
  })

  it('are gone for a retry, which says so', async () => {
    await harness.addPipeline('pipe', { one: look }, { secrets: ['NPM_TOKEN'] })
    harness.start()
    const { uuid } = await stage()
    await expect(harness.service.retry(uuid)).rejects.toMatchObject({
      code: 'secrets-gone',
      message: expect.stringContaining('were deleted at its end: stage the package again') as string,
    })
  })
})

describe('reuse', () => {
  it('never answers a staging that was given secrets, and never with what one has made', async () => {
    await harness.addPipeline('pipe', { one: look }, { secrets: ['NPM_TOKEN'] })
    harness.start()
    await stage({})
    expect((await stage({})).reused).toBeDefined()
    expect((await stage({ secrets })).reused).toBeUndefined()
    const third = await stage({ secrets: new Map([['NPM_TOKEN', Buffer.from('another one')]]) })
    expect(third.reused).toBeUndefined()
    expect(found).toHaveLength(3)
  })

  it('does not answer with the result of a staging with secrets', async () => {
    await harness.addPipeline('pipe', { one: look }, { secrets: ['NPM_TOKEN'] })
    harness.start()
    await stage({ secrets })
    expect((await stage({})).reused).toBeUndefined()
    expect(found).toEqual([{ NPM_TOKEN: SECRET }, {}])
  })
})

describe('the secrets of a stager', () => {
  const set = async (name: string, secret: string, value: string) =>
    await harness.parts.secrets.set((await stager(name)).uuid, secret, Buffer.from(value))

  it('are given to each of its launches; those of a staging that it takes go over them', async () => {
    await harness.addPipeline('pipe', { one: look, two: look }, { secrets: ['NPM_TOKEN'] })
    await set('one', 'NPM_TOKEN', 'its own')
    await set('one', 'id_rsa', 'a key')
    harness.start()
    await stage({})
    await stage()
    expect(found).toEqual([
      { NPM_TOKEN: 'its own', id_rsa: 'a key' },
      {},
      { NPM_TOKEN: SECRET, id_rsa: 'a key' },
      { NPM_TOKEN: SECRET },
    ])
    expect((await kept()).includes('its own')).toBe(false)
  })

  it('are the same after a restart, until they are removed, replaced, or deleted with the stager', async () => {
    await harness.addPipeline('pipe', { one: look })
    await set('one', 'NPM_TOKEN', 'first')
    await set('one', 'NPM_TOKEN', 'second')
    await harness.restart()
    await stage({})
    const { uuid } = await stager('one')
    expect((await harness.parts.secrets.list(uuid)).map(({ name }) => name)).toEqual(['NPM_TOKEN'])
    await harness.parts.secrets.remove(uuid, 'NPM_TOKEN')
    await stage({ reuse: false })
    expect(found).toEqual([{ NPM_TOKEN: 'second' }, {}])
    await expect(harness.parts.secrets.remove(uuid, 'NPM_TOKEN')).rejects.toMatchObject({ code: 'secret-not-found' })
  })

  it('are not in a backup, not even sealed', async () => {
    await harness.addPipeline('pipe', { one: look }, { secrets: ['NPM_TOKEN'] })
    await set('one', 'OWN', 'its own')
    const { uuid } = await harness.submit('app', 'pipe', { secrets })
    const { store } = harness.parts
    const [own] = await store.secrets.ofStagers([(await stager('one')).uuid])
    const file = path.join(harness.directory, 'backup.db')
    await store.backups.copyTo(file)
    const backup = await readFile(file)
    expect(backup.includes(uuid)).toBe(true)
    for (const bytes of [own!.sealed, (await sealed(uuid))!]) expect(backup.includes(Buffer.from(bytes))).toBe(false)
    expect((await store.secrets.ofStagers([own!.stagerUuid])).map(({ name }) => name)).toEqual(['OWN'])
  })

  it('keep its results from being reused', async () => {
    await harness.addPipeline('pipe', { one: look })
    await set('one', 'NPM_TOKEN', SECRET)
    harness.start()
    await stage({})
    await stage({})
    expect(found).toHaveLength(2)
  })

  it('keep its containers from being kept, and the log says so', async () => {
    await harness.addPipeline('pipe', { one: fails })
    await set('one', 'NPM_TOKEN', SECRET)
    harness.start()
    const { uuid } = await stage({ keepFailedMs: 60_000 })
    expect(harness.parts.kept.list()).toEqual([])
    expect(await harness.log(uuid)).toContain('The container is not kept, because the stager was given secrets.')
  })
})

describe('the log', () => {
  const print =
    (...lines: string[]): FakeStager =>
    async ({ print, url }: FakeContext) => {
      for (const line of lines) await print(line)
      await call(url, 'POST /done')
    }

  it('has *** in the place of a secret', async () => {
    await harness.addPipeline('pipe', { one: print(`token=${SECRET}`, 'more') }, { secrets: ['NPM_TOKEN'] })
    harness.start()
    const { uuid } = await stage()
    expect(await harness.log(uuid)).toEqual(expect.arrayContaining(['token=***', 'more']))
    expect((await kept()).includes(SECRET)).toBe(false)
  })

  it('has a secret hidden that one stager has left to the next, and in the explanation of a failure', async () => {
    const failsWithSecret: FakeStager = async ({ print, exit }) => {
      await print(`npm error: bad token ${SECRET}`)
      exit(1)
    }
    await harness.addPipeline('pipe', { one: look, two: failsWithSecret })
    await harness.parts.stagers.update({ namespace: '/', name: 'one' }, { secrets: ['NPM_TOKEN'] })
    harness.start()
    const staging = await stage()
    expect(staging.state).toBe('failed')
    expect(JSON.stringify([staging, await harness.log(staging.uuid)])).not.toContain(SECRET)
    expect(await harness.log(staging.uuid)).toContain('npm error: bad token ***')
  })

  it('has a secret hidden in the refusal of a request that has it', async () => {
    const asks: FakeStager = async ({ url }) => {
      await call(url, `GET /${SECRET}`, undefined, 499)
      await call(url, 'POST /done')
    }
    await harness.addPipeline('pipe', { one: asks }, { secrets: ['NPM_TOKEN'] })
    harness.start()
    const { uuid } = await stage()
    const log = (await harness.log(uuid)).join('\n')
    expect(log).toContain('GET /*** was refused with 499')
    expect(log).not.toContain(SECRET)
  })
})

describe('the metadata of the package', () => {
  it('takes no value that has a secret', async () => {
    const leaks: FakeStager = async ({ url }) => {
      const change = { resource: 'environment', action: 'add', key: 'TOKEN', value: `x ${SECRET}` }
      const answer = await call(url, 'PUT /meta', new URLSearchParams(change), 499)
      expect(answer).toContain('a secret')
      await call(url, 'POST /done')
    }
    await harness.addPipeline('pipe', { one: leaks }, { secrets: ['NPM_TOKEN'] })
    harness.start()
    expect((await stage()).state).toBe('succeeded')
    expect((await harness.packages.get({ namespace: '/', name: 'app' })).environment).toEqual({})
  })
})
