import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { packDirectory } from '../../cli/pack/pack-directory.js'
import { names, readTar, type TarEntry } from './support/read-tar.js'
import { makeWorkspace, plant, type Tree } from './support/workspace.js'

let root: string
let remove: () => Promise<void>
beforeEach(async () => {
  ;({ root, remove } = await makeWorkspace())
})
afterEach(() => remove())

async function pack(directory: string, prefix = ''): Promise<{ entries: TarEntry[]; sha256: string; bytes: Buffer }> {
  const signal = new AbortController().signal
  const tarball = await packDirectory({ directory, prefix, env: { TMPDIR: root }, signal })
  try {
    const chunks: Uint8Array[] = []
    for await (const chunk of tarball.read()) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    expect(bytes.length).toBe(tarball.length)
    return { entries: await readTar([bytes]), sha256: tarball.sha256, bytes }
  } finally {
    await tarball.dispose()
  }
}

const packed = async (tree: Tree) => names((await pack(await plant(path.join(root, 'app'), tree))).entries)

describe('what is packed', () => {
  test('everything, sorted, parents first; links as they are, wherever they point', async () => {
    const app = await plant(path.join(root, 'app'), {
      'b.txt': 'b',
      'a/z': 'z',
      'a/empty': null,
      link: '-> ../../etc/passwd',
      dangling: '-> nowhere',
    })
    const { entries } = await pack(app)
    expect(names(entries)).toEqual(['a/', 'a/empty/', 'a/z', 'b.txt', 'dangling', 'link'])
    expect(entries.find(({ header }) => header.name === 'link')?.header).toMatchObject({
      type: 'symlink',
      linkname: '../../etc/passwd',
    })
    expect(entries.map(({ text }) => text).join('')).toBe('zb')
  })

  test('.git is left out, but for those who ask for it', async () => {
    expect(await packed({ '.git/config': '', 'src/.git/config': '', 'src/a': '', '.gitignore': '' })).toEqual([
      '.gitignore',
      'src/',
      'src/a',
    ])
    expect(await packed({ '.apcignore': '!.git', '.git/config': '' })).toContain('.git/config')
  })

  test('.apcignore speaks as .gitignore does', async () => {
    const tree = {
      '.apcignore': '# comment\nnode_modules/\n*.log\n!keep.log\n/top\n',
      'node_modules/x/index.js': '',
      'debug.log': '',
      'keep.log': '',
      'sub/debug.log': '',
      'sub/top': '',
      'sub/node_modules/y': '',
      top: '',
      'file/node_modules': 'a file of that name is no directory',
    }
    expect(await packed(tree)).toEqual(['.apcignore', 'file/', 'file/node_modules', 'keep.log', 'sub/', 'sub/top'])
  })

  test('an .apcignore further down speaks for what is below it, and wins there', async () => {
    const tree = {
      '.apcignore': '*.tmp\n',
      'a.tmp': '',
      'sub/.apcignore': '!b.tmp\nc\n',
      'sub/b.tmp': '',
      'sub/c': '',
      c: '',
    }
    expect(await packed(tree)).toEqual(['.apcignore', 'c', 'sub/', 'sub/.apcignore', 'sub/b.tmp'])
  })

  test('with a prefix, as a stager has it', async () => {
    const { entries } = await pack(await plant(path.join(root, 'stager'), { 'lib/x': '', stager: '' }), 'app')
    expect(entries[0]?.header).toMatchObject({ mode: 0o755, uid: 99, gid: 99 })
    expect(names(entries)).toEqual(['app/', 'app/lib/', 'app/lib/x', 'app/stager'])
  })

  test('names beyond what a plain header holds', async () => {
    const long = `${'d'.repeat(120)}/${'f'.repeat(200)}`
    expect(await packed({ [long]: '', 'ünï cödé': '' })).toEqual([`${'d'.repeat(120)}/`, long, 'ünï cödé'])
  })
})

describe('the same tree gives the same bytes', () => {
  const tree = { 'a.txt': 'a', 'run.sh': '#!/bin/sh' }

  test('whoever packs it, and wherever', async () => {
    const one = await plant(path.join(root, 'one'), tree)
    const two = await plant(path.join(root, 'two'), tree)
    await chmod(path.join(one, 'run.sh'), 0o4755)
    await chmod(path.join(two, 'run.sh'), 0o755)
    const umask = process.umask(0o077)
    const first = await pack(one).finally(() => process.umask(umask))
    const second = await pack(two)
    expect(second.bytes.equals(first.bytes)).toBe(true)
    expect(first.sha256).toBe(createHash('sha256').update(first.bytes).digest('hex'))
    expect(first.entries.map(({ header }) => [header.name, header.mode, header.uid, header.gid, header.mtime])).toEqual(
      [
        ['a.txt', 0o644, 99, 99, new Date(1_700_000_000_000)],
        ['run.sh', 0o755, 99, 99, new Date(1_700_000_000_000)],
      ],
    )
  })
})

describe('what cannot be packed is named', () => {
  test('a FIFO', async () => {
    const app = await plant(path.join(root, 'app'), { 'a/b': '' })
    execFileSync('mkfifo', [path.join(app, 'a/pipe')])
    await expect(pack(app)).rejects.toThrow('"a/pipe" is neither a file, a directory nor a symbolic link')
  })

  test('a name that is not UTF-8', async () => {
    const app = await plant(path.join(root, 'app'), { a: '' })
    const { writeFile } = await import('node:fs/promises')
    await writeFile(Buffer.concat([Buffer.from(`${app}/caf`), Buffer.from([0xe9])]), '')
    await expect(pack(app)).rejects.toThrow('is not UTF-8')
  })

  test('nothing at all', async () => {
    await expect(pack(await plant(path.join(root, 'app'), { '.git/config': '' }))).rejects.toThrow('nothing to pack')
    await expect(pack(path.join(root, 'nowhere'))).rejects.toThrow('There is no directory')
  })

  test('and no temporary file is left, nor seen meanwhile', async () => {
    const app = await plant(path.join(root, 'app'), { a: '' })
    const signal = new AbortController().signal
    const tarball = await packDirectory({ directory: app, prefix: '', env: { TMPDIR: root }, signal })
    expect(await readdir(root)).toEqual(['app'])
    await tarball.dispose()
    await expect(
      packDirectory({
        directory: app,
        prefix: '',
        env: { TMPDIR: root },
        signal: AbortSignal.abort(new Error('enough')),
      }),
    ).rejects.toThrow('enough')
    expect(await readdir(root)).toEqual(['app'])
  })
})
