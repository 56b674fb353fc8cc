import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'

const CHECKOUT = path.resolve(import.meta.dirname, '../..')
const run = promisify(execFile)

/** What parts.sh makes, without a network and a compiler: small files of the same names. */
const PARTS = [
  ...['node/bin/node', 'documents/man/stagectl.1', 'documents/man/stagectl-stage.1', 'documents/man/stagerd.8'],
  ...['documents/man/stagerd.toml.5', 'documents/completion/bash', 'documents/completion/zsh', 'documents/completion/fish'],
  ...['native/node_modules/better-sqlite3/package.json', 'native/node_modules/better-sqlite3/LICENSE'],
  ...['native/node_modules/better-sqlite3/lib/index.js', 'native/node_modules/bindings/index.js'],
  ...['native/node_modules/better-sqlite3/build/Release/better_sqlite3.node', 'native/node_modules/file-uri-to-path/index.js'],
] // prettier-ignore

describe('an installation', () => {
  let work: string
  let root: string
  beforeEach(async () => {
    work = await mkdtemp(path.join(tmpdir(), 'stagerd-install-'))
    onTestFinished(() => rm(work, { recursive: true }))
    root = path.join(work, 'root')
    for (const file of PARTS) {
      await mkdir(path.dirname(path.join(work, file)), { recursive: true })
      await writeFile(path.join(work, file), file)
    }
  })

  const shell = (command: string) =>
    run('bash', [
      ...['-euc', `${command} "$@"`, 'bash'],
      ...[root, '/usr/local', '/etc/systemd/system'],
    ], { env: { ...process.env, root: CHECKOUT, work } }) // prettier-ignore
  const variables = 'node_home=$work/node native=$work/native documents=$work/documents'
  // The checkout may not be built.
  const script = `source <(sed 's|"$root/dist/programs"|"$work/documents"|' "$root/scripts/lib/lay-out.sh"); ${variables}`
  const install = () => shell(`${script}; lay_out`)
  const uninstall = () => shell(`${script}; remove_layout`)

  const filesOf = async (directory: string) =>
    (await readdir(directory, { recursive: true, withFileTypes: true }))
      .filter((entry) => !entry.isDirectory())
      .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
      .sort()

  it('puts programs, unit, group, settings, manual and completion into an empty root, also a second time', async () => {
    await install()
    const first = await filesOf(root)
    await install()
    expect(await filesOf(root)).toEqual(first)
    for (const [installed, source] of [
      ['etc/stagerd/stagerd.toml', 'packaging/stagerd.toml'],
      ['usr/local/lib/sysusers.d/stagerd.conf', 'packaging/stagerd.sysusers'],
      ['usr/local/lib/stagerd/package.json', 'package.json'],
      ['usr/local/lib/stagerd/stagers/lib/stager.sh', 'stagers/lib/stager.sh'],
    ] as const) {
      const file = path.join(root, installed)
      expect(await readFile(file, 'utf8')).toBe(await readFile(path.join(CHECKOUT, source), 'utf8'))
      expect((await stat(file)).mode & 0o022, installed).toBe(0)
    }
    expect(first).toEqual(
      expect.arrayContaining([
        'usr/local/share/bash-completion/completions/stagectl',
        'usr/local/share/fish/vendor_completions.d/stagectl.fish',
        'usr/local/share/man/man1/stagectl-stage.1',
        'usr/local/share/man/man5/stagerd.toml.5',
        'usr/local/share/man/man8/stagerd.8',
        'usr/local/share/zsh/site-functions/_stagectl',
      ]),
    )
  })

  it('has links to its programs that lead to themselves in any root, and a unit that names them', async () => {
    await install()
    for (const [link, program] of [
      ['usr/local/bin/stagectl', 'stagectl'],
      ['usr/local/sbin/stagerd', 'stagerd'],
    ] as const) {
      const target = path.resolve(path.dirname(path.join(root, link)), await readlink(path.join(root, link)))
      expect(target).toBe(path.join(root, 'usr/local/lib/stagerd/bin', program))
      expect((await stat(target)).mode & 0o111).toBe(0o111)
    }
    const unit = await readFile(path.join(root, 'etc/systemd/system/stagerd.service'), 'utf8')
    expect(unit).toMatch(/^ExecStart=\/usr\/local\/sbin\/stagerd$/m)
    expect(unit).not.toContain('/usr/sbin/')
  })

  it('runs on its own Node.js', async () => {
    await install()
    const node = path.join(root, 'usr/local/lib/stagerd/bin/node')
    await writeFile(node, '#!/bin/sh\necho "own Node.js: $@"\n')
    const stagerd = path.join(root, 'usr/local/sbin/stagerd')
    await expect(run(stagerd, ['--version'])).rejects.toThrow(
      /stagerd\.cjs does not exist: build it with 'npm run build'\./,
    )
    const programs = path.join(root, 'usr/local/lib/stagerd/dist/programs')
    await mkdir(programs, { recursive: true })
    await writeFile(path.join(programs, 'stagerd.cjs'), '')
    const { stdout } = await run(stagerd, ['--version'])
    expect(stdout).toMatch(/^own Node\.js: .*stagerd\.cjs --version$/m)
  })

  it('leaves settings that are there alone, and nothing of an earlier version', async () => {
    await install()
    const settings = path.join(root, 'etc/stagerd/stagerd.toml')
    const stale = path.join(root, 'usr/local/lib/stagerd/stagers/gone/stage')
    await writeFile(settings, 'concurrency = 7\n')
    await mkdir(path.dirname(stale))
    await writeFile(stale, '')
    await install()
    expect(await readFile(settings, 'utf8')).toBe('concurrency = 7\n')
    await expect(stat(stale)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('is removed but for the settings, also a second time', async () => {
    await install()
    await uninstall()
    await uninstall()
    expect(await filesOf(root)).toEqual(['etc/stagerd/stagerd.toml'])
  })
})
