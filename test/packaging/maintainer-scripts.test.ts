import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { MIGRATIONS } from '../../daemon/store/sqlite/migrations.js'
import { Connection } from '../../daemon/store/sqlite/connection.js'
import { SqliteStore } from '../../daemon/store/sqlite/store.js'

const CHECKOUT = path.resolve(import.meta.dirname, '../..')
const run = promisify(execFile)
const NEWEST = MIGRATIONS.at(-1)!.version

/** The script that dpkg runs before it replaces anything, for directories of the test. */
describe('the preinst of the package', () => {
  let directory: string
  let database: string
  let script: string
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'stagerd-preinst-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    database = path.join(directory, 'stagerd.db')
    const text = await readFile(path.join(CHECKOUT, 'packaging/debian/preinst'), 'utf8')
    script = text.replaceAll('/etc/stagerd', directory).replaceAll('/var/lib/stagerd', directory)
  })

  const preinst = async (knows: number, action = 'upgrade') => {
    const ready = script.replaceAll('@STATE_VERSION@', String(knows)).replaceAll('@VERSION@', '0.1.0')
    return await run('sh', ['-c', ready, 'preinst', action]).then(
      () => 'accepted',
      (error: unknown) => (error as { stderr: string }).stderr,
    )
  }
  const createDatabase = () => SqliteStore.open(database, 1, { results: 1, bytes: 1 }).close()

  it('accepts a host without a database, and the database of the same version or an older one', async () => {
    expect(await preinst(NEWEST)).toBe('accepted')
    createDatabase()
    expect(await preinst(NEWEST)).toBe('accepted')
    expect(await preinst(NEWEST + 1)).toBe('accepted')
  })

  it('refuses a database that a newer version has migrated, with a sentence', async () => {
    createDatabase()
    expect(await preinst(NEWEST - 1)).toBe(
      `stagerd 0.1.0 cannot use ${database}, which a newer stagerd has brought to version ${NEWEST}: this one knows versions up to ${NEWEST - 1}. Install a newer stagerd, or move the database away.\n`,
    )
    expect(await preinst(NEWEST - 1, 'install')).toContain('cannot use')
    // To undo a failed upgrade is not one.
    expect(await preinst(NEWEST - 1, 'abort-upgrade')).toBe('accepted')
  })

  it('finds the database where the settings say', async () => {
    createDatabase()
    script = script.replace(`'') directory=${directory}`, "'') directory=/nonexistent")
    expect(await preinst(NEWEST - 1)).toBe('accepted')
    for (const setting of [`state-dir = "${directory}"`, 'state-dir="."  # here']) {
      await writeFile(path.join(directory, 'stagerd.toml'), `# state-dir = "/elsewhere"\n${setting}\n`)
      expect(await preinst(NEWEST - 1)).toContain('cannot use')
    }
  })

  it('finds the version in a database that was made before it was in the header', async () => {
    createDatabase()
    const connection = new Connection(database)
    connection.pragma('user_version = 0')
    connection.close()
    createDatabase()
    expect(await preinst(NEWEST - 1)).toContain('cannot use')
  })
})

it('the package names the version of the database that its daemon writes', async () => {
  const { stdout } = await run('bash', ['-c', 'source scripts/lib/debian-package.sh; state_version'], {
    cwd: CHECKOUT,
    env: { ...process.env, root: CHECKOUT },
  })
  expect(Number(stdout)).toBe(NEWEST)
})
