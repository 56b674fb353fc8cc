import { randomUUID } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { migrateNode } from '../../../daemon/migrate-node.js'
import { digestTables, type TableDigest } from '../../../daemon/store/sqlite/table-digests.js'
import { contentOf } from '../../contract/backups.js'
import { packageDraft } from '../../contract/samples.js'
import { nodeIdentity, nodeLedgerOf, openLedger } from '../../support/fleet/node-ledger.js'
import { compileProgram } from '../../support/compile-program.js'
import { SwiftServer } from '../../support/s3/swift-server.js'
import { PostgresServer } from '../store/postgres-server.js'
import { temporaryDirectory } from '../store/temporary-directory.js'
import {
  expectAll,
  furnish,
  linesOf,
  openNode,
  RUNNING_LINES,
  settingsOf,
  TwoNodes,
  type OpenNode,
  runUntilCopying,
  times,
} from './two-nodes.js'

let postgres: PostgresServer
let swift: SwiftServer
let directory: string
let nodes: TwoNodes

beforeAll(async () => {
  const temporary = await temporaryDirectory()
  directory = temporary.path
  postgres = await PostgresServer.start()
  swift = await SwiftServer.open()
  return async () => {
    await swift.close()
    await postgres.stop()
    await temporary.remove()
  }
}, 120_000)
let tests = 0
beforeEach(async () => {
  const own = path.join(directory, String(tests++))
  await mkdir(own)
  nodes = new TwoNodes(own, postgres, swift)
})

/** What it says. */
async function move(from: string, to: string, signal = new AbortController().signal): Promise<string> {
  let said = ''
  const output = { write: (text: string) => (said += text) }
  await migrateNode({ from: await settingsOf(from), to: await settingsOf(to), file: to, output, signal })
  return said
}

async function withNode<T>(file: string, work: (node: OpenNode) => Promise<T>): Promise<T> {
  const node = await openNode(await settingsOf(file))
  try {
    return await work(node)
  } finally {
    await node.close()
  }
}

/** Of all tables, those with secrets too. */
async function rowsOf({ store, state }: OpenNode): Promise<ReadonlyMap<string, TableDigest>> {
  const copy = path.join(state.path, 'copy.db')
  try {
    await store.backups.copyTo(copy, 'everything')
    return digestTables(copy)
  } finally {
    await rm(copy, { force: true })
  }
}

const filled = (rows: ReadonlyMap<string, TableDigest>) =>
  [...rows].filter(([, one]) => one.rows > 0).map(([name]) => name)

describe('a node that is moved', () => {
  it('has all of its rows, data, logs and secrets in PostgreSQL and a bucket, and in SQLite and files again', async () => {
    const [single, fleet, back] = [await nodes.single(), await nodes.fleet(), await nodes.single()]
    const made = await furnish(await settingsOf(single))
    const before = await withNode(single, async (node) => ({
      rows: await rowsOf(node),
      content: await contentOf(node.store),
    }))
    expect(filled(before.rows), 'this test has rows of every kind').toEqual([...before.rows.keys()])

    const said = await move(single, fleet)
    expect(said).toMatch(/^Moving SQLite in \S+ to PostgreSQL/)
    expect(said, 'the samples refer to data that never were there').toMatch(/Not moved: .*"a{64}"/)
    expect(said).toMatch(/Moved and verified: \d+ rows of 2\d tables, 4 resources .* and 3 logs/)
    await withNode(fleet, async (node) => {
      await expectAll(node, made)
      expect(await contentOf(node.store)).toEqual(before.content)
    })

    await move(fleet, back)
    await withNode(back, async (node) => {
      await expectAll(node, made)
      const after = await rowsOf(node)
      for (const [table, { rows, sha256 }] of before.rows)
        expect(after.get(table), table).toMatchObject({ rows, sha256 })
      expect(await contentOf(node.store)).toEqual(before.content)
      const next = await (await nodeLedgerOf(node.store)).admitNext()
      expect(next?.uuid, 'goes on before what is queued').toBe(made.running.uuid)
      const draft = await node.store.packages.create(packageDraft('later'))
      const last = Math.max(...before.content.packages.map(({ importOrder }) => importOrder))
      expect(draft.importOrder).toBeGreaterThan(last)
    })
    await withNode(single, async (node) =>
      expect(await rowsOf(node), 'the first node is as it was').toEqual(before.rows),
    )
  })

  it('has its last log lines, also those that a node has not shared before it died', async () => {
    const [single, fleet, back] = [await nodes.single(), await nodes.fleet(), await nodes.single()]
    const { running, ended } = await furnish(await settingsOf(single))
    await move(single, fleet)
    const { uuid } = running
    await withNode(fleet, async ({ logs, state }) => {
      const writer = await logs.write(uuid, running.logWriter + 1)
      await writer.message('shared')
      await writer.close()
      const file = path.join(state.logs, `${uuid}.ndjson`)
      const text = await readFile(file, 'utf8')
      await writeFile(
        file,
        `${text}${text.split('\n').at(-2)!.replace('"seq":3', '"seq":4').replace('shared', 'not yet')}\n`,
      )
      // The files of others are older than what is shared.
      await writeFile(path.join(state.logs, `${ended.uuid}.ndjson`), text.replace('begin', 'old'))
    })
    await move(fleet, back)
    await withNode(back, async (node) => {
      expect(await linesOf(node, uuid)).toEqual([...RUNNING_LINES, 'shared', 'not yet'])
      expect(await linesOf(node, ended.uuid)).toEqual(['all of it'])
    })
  })

  it('has the logs of the first node, also where another text of the same length was there', async () => {
    const [single, other, fleet] = [await nodes.single(), await nodes.single(), await nodes.fleet()]
    const { running, ended } = await furnish(await settingsOf(single))
    for (const to of [other, fleet]) {
      await move(single, to)
      await withNode(to, async ({ logs, state }) => {
        const file = path.join(state.logs, `${ended.uuid}.ndjson`)
        const { file: log, length } = (await logs.openFile(ended.uuid))!
        const { buffer } = await log.read(Buffer.alloc(length), 0, length, 0)
        await log.close()
        const changed = path.join(directory, `changed-${randomUUID()}`)
        await writeFile(changed, buffer.toString().replace('all of it', 'another t'))
        await logs.take(ended.uuid, changed, true)
        expect(await readFile(file, 'utf8')).toContain('another t')
      })
      await move(single, to)
      await withNode(to, async (node) => {
        expect(await linesOf(node, ended.uuid)).toEqual(['all of it'])
        expect(await linesOf(node, running.uuid)).toEqual(RUNNING_LINES)
      })
    }
  })

  it('goes on after an interruption and a kill, with what is not there yet', async () => {
    const [single, fleet] = [await nodes.single(), await nodes.fleet()]
    const { digests } = await furnish(await settingsOf(single), { blobs: 40, bytes: 100_000 })
    const checkout = path.resolve(import.meta.dirname, '../../..')
    const program = await compileProgram(
      path.join(checkout, 'daemon/main.ts'),
      path.join(directory, 'program'),
      'stagerd.cjs',
    )

    const first = await runUntilCopying(program, single, fleet, 'SIGINT')
    expect(first).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^stagerd: The migration was interrupted/) as string,
    })
    const second = await runUntilCopying(program, single, fleet, 'SIGKILL')
    expect(second).toMatchObject({ code: null })
    const between = await withNode(fleet, async ({ store, blobs }) => {
      expect(await store.packages.list({}), 'rows come last').toEqual([])
      return await times(blobs)
    })
    expect(between.size).toBeGreaterThan(0)
    expect(between.size).toBeLessThan(digests.length)

    const third = await runUntilCopying(program, single, fleet)
    expect(third).toMatchObject({ code: 3, err: '', out: expect.stringMatching(/41 resources/) as string })
    await withNode(fleet, async ({ store, blobs }) => {
      const after = await times(blobs)
      for (const [sha256, time] of between) expect(after.get(sha256), 'is not copied again').toEqual(time)
      expect([...after.keys()]).toEqual(expect.arrayContaining(digests))
      expect(await store.packages.list({})).not.toEqual([])
    })
    // Killed after the rows were there, for instance.
    expect(await move(single, fleet)).toMatch(/Moved and verified/)
  }, 120_000)

  it('is told of data that it has lost, and has the rest', async () => {
    const [single, fleet] = [await nodes.single(), await nodes.fleet()]
    const { digests } = await furnish(await settingsOf(single))
    const [damaged, gone] = digests
    const blob = (sha256 = '') =>
      path.join(directory, `${tests - 1}/state-0/blobs/sha256/${sha256.slice(0, 2)}/${sha256}`)
    await writeFile(blob(damaged), 'else')
    await rm(blob(gone))
    const said = await move(single, fleet)
    expect(said).toContain(`Not moved: The stored resource ${damaged} is damaged`)
    expect(said).toContain(`Not moved: There is no data with the digest "${gone}"`)
    await withNode(fleet, async ({ blobs }) => {
      expect(await Promise.all(digests.map((one) => blobs.has(one)))).toEqual([false, false, true])
    })
  })
})

describe('a migration is refused', () => {
  const refused = async (from: string, to: string, code: string, says: RegExp) => {
    const error = (await move(from, to).catch((thrown: unknown) => thrown)) as Error
    expect(error).toMatchObject({ code, message: expect.stringMatching(says) as string })
    expect(error.message).toMatch(/^\S[^\n]*\.$/)
  }

  it('while a daemon has the node', async () => {
    const [single, fleet] = [await nodes.single(), await nodes.fleet()]
    await withNode(single, async () => {
      await refused(single, fleet, 'state-dir-in-use', /stop it/)
    })
  })

  it('while another node works with the database, on either side', async () => {
    const [single, fleet] = [await nodes.single(), await nodes.fleet()]
    await withNode(single, () => Promise.resolve())
    await withNode(fleet, async ({ store }) => {
      await openLedger(store, nodeIdentity({ name: 'other' }), 60_000)
    })
    await refused(single, fleet, 'node-alive', /node other works with PostgreSQL/)
    await refused(fleet, await nodes.single(), 'node-alive', /node other works with PostgreSQL/)
    await nodes.query(await settingsOf(fleet), `UPDATE nodes SET leased_until = '2026-01-01T00:00:00.000Z'`)
    await move(single, fleet)
  })

  it('to a database that has other rows, of whatever kind', async () => {
    const [single, fleet] = [await nodes.single(), await nodes.fleet()]
    await furnish(await settingsOf(single))
    await withNode(fleet, ({ store }) =>
      store.tasks.record([{ id: 'x', request: Buffer.alloc(1), reply: undefined, answer: undefined }]),
    )
    await refused(single, fleet, 'store-not-empty', /1 in cloud_foundry_tasks/)
    await withNode(fleet, async ({ store, blobs }) => {
      expect(await store.tasks.all()).toHaveLength(1)
      expect((await times(blobs)).size, 'nothing was copied').toBe(0)
    })
  })

  it('to the node itself, and from one that is not there', async () => {
    const [single, fleet] = [await nodes.single(), await nodes.fleet()]
    await refused(single, fleet, 'no-node-here', /no \S+stagerd\.db/)
    await withNode(single, () => Promise.resolve())
    await refused(single, single, 'same-node', /state directory/)
    await withNode(fleet, () => Promise.resolve())
    const text = (await readFile(fleet, 'utf8')).replace(/state-dir = .*/, `state-dir = "${directory}/another"`)
    const another = path.join(nodes.directory, 'another.toml')
    await writeFile(another, text)
    await refused(fleet, another, 'same-node', /names the database/)
  })

  it('when the new node has another key for the secrets, and not with the same one', async () => {
    const key = path.join(nodes.directory, 'key')
    const [single, fleet] = [await nodes.single(), await nodes.fleet({ 'secrets-key': key })]
    const { key: own } = await furnish(await settingsOf(single))
    await writeFile(key, Buffer.alloc(32), { mode: 0o600 })
    await refused(single, fleet, 'secrets-key-differs', /give both nodes the same one/)
    await writeFile(key, own)
    await move(single, fleet)
  })

  it('at its end when the rows are not the same', async () => {
    const [single, fleet] = [await nodes.single(), await nodes.fleet()]
    await furnish(await settingsOf(single))
    await withNode(fleet, () => Promise.resolve())
    const settings = await settingsOf(fleet)
    const trigger = (
      body: string,
    ) => `CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} END $$;
      CREATE TRIGGER change BEFORE INSERT ON tokens FOR EACH ROW EXECUTE FUNCTION change()`
    await nodes.query(settings, trigger("NEW.name := NEW.name || '.'; RETURN NEW;"))
    await refused(single, fleet, 'migration-differs', /\(tokens\)/)
    await refused(single, fleet, 'store-not-empty', /in tokens/)
  })
})

it('a node is moved to another state directory, too, and is not done before all data are there', async () => {
  const [single, other] = [await nodes.single(), await nodes.single()]
  const made = await furnish(await settingsOf(single))
  const [from, to] = [await settingsOf(single), await settingsOf(other)]
  const removeAll = (text: string) => {
    if (!text.startsWith('4 of 4 resources')) return
    rmSync(path.join(to.stateDir, 'blobs/sha256'), { recursive: true })
    mkdirSync(path.join(to.stateDir, 'blobs/sha256'))
  }
  const { signal } = new AbortController()
  const moving = migrateNode({ from, to, file: other, output: { write: removeAll }, signal })
  await expect(moving).rejects.toMatchObject({ code: 'migration-incomplete' })
  await move(single, other)
  await withNode(other, (node) => expectAll(node, made))
})
