import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readlink, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'

const CHECKOUT = path.resolve(import.meta.dirname, '../..')
const run = promisify(execFile)

/** The commands of the first block of docs/operating.md. */
async function documentedCommands(): Promise<string[]> {
  const text = await readFile(path.join(CHECKOUT, 'docs/operating.md'), 'utf8')
  const [, block = ''] = /## Install\n[^]*?```\n([^]*?)```/.exec(text) ?? []
  return block.split('\n').map((line) => line.replace(/ +#.*/, ''))
}

describe('the documented installation', () => {
  let root: string
  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'stagerd-root-'))
    onTestFinished(() => rm(root, { recursive: true }))
  })

  /** Runs the commands that only copy and link files, with `root` in place of /. */
  const install = async () => {
    const copies = (await documentedCommands()).filter((line) => /^(install|ln) /.test(line))
    for (const line of copies) await run('sh', ['-ec', line.replace(/ \/(?=[a-z])/g, ` ${root}/`)], { cwd: CHECKOUT })
  }

  it('puts every file of the package into an empty root, also a second time', async () => {
    await install()
    await install()
    for (const [installed, source] of [
      ['etc/stagerd/stagerd.toml', 'packaging/stagerd.toml'],
      ['etc/systemd/system/stagerd.service', 'packaging/stagerd.service'],
      ['usr/lib/sysusers.d/stagerd.conf', 'packaging/stagerd.sysusers'],
    ] as const) {
      expect(await readFile(path.join(root, installed), 'utf8')).toBe(
        await readFile(path.join(CHECKOUT, source), 'utf8'),
      )
      expect((await stat(path.join(root, installed))).mode & 0o777).toBe(0o644)
    }
    for (const program of ['stagerd', 'stagectl'])
      expect(await readlink(path.join(root, 'usr/local/bin', program))).toBe(path.join(CHECKOUT, 'bin', program))
  })

  it('creates the group before the daemon starts, which looks for it once', async () => {
    const commands = await documentedCommands()
    const groupAt = commands.findIndex((line) => line.startsWith('systemd-sysusers'))
    const startAt = commands.findIndex((line) => line.startsWith('systemctl enable'))
    expect(groupAt).toBeGreaterThan(-1)
    expect(startAt).toBeGreaterThan(groupAt)
  })
})
