import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chmod, readdir, symlink, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { entryError, temporaryFileError } from '../../cli/pack/packing-error.js'
import { packDirectory } from '../../cli/pack/pack-directory.js'
import { exitCodeOfError } from '../../cli/session/exit-codes.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../../isolation/archive/limits.js'
import { scanArchive } from '../../isolation/archive/scan.js'
import { names, readTar, type TarEntry } from './support/read-tar.js'
import { makeWorkspace, writeTree, type Tree } from './support/workspace.js'

let root: string
let remove: () => Promise<void>
beforeEach(async () => {
  ;({ root, remove } = await makeWorkspace())
})
afterEach(() => remove())

interface Packed {
  readonly entries: TarEntry[]
  readonly sha256: string
  readonly bytes: Buffer
  readonly notes: readonly string[]
}

async function pack(directory: string, prefix = '', onBytes?: () => void): Promise<Packed> {
  const signal = new AbortController().signal
  const tarball = await packDirectory({ directory, prefix, env: { TMPDIR: root }, signal, ...(onBytes && { onBytes }) })
  try {
    const chunks: Uint8Array[] = []
    for await (const chunk of tarball.read()) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    expect(bytes.length).toBe(tarball.length)
    return { entries: await readTar([bytes]), sha256: tarball.sha256, bytes, notes: tarball.notes ?? [] }
  } finally {
    await tarball.dispose()
  }
}

const packed = async (tree: Tree) => names((await pack(await writeTree(path.join(root, 'app'), tree))).entries)

describe('the packed entries', () => {
  test('are sorted, parents first; symbolic links keep their targets, wherever they point', async () => {
    const app = await writeTree(path.join(root, 'app'), {
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

  test('exclude .git, unless .apcignore includes it', async () => {
    expect(await packed({ '.git/config': '', 'src/.git/config': '', 'src/a': '', '.gitignore': '' })).toEqual([
      '.gitignore',
      'src/',
      'src/a',
    ])
    expect(await packed({ '.apcignore': '!.git', '.git/config': '' })).toContain('.git/config')
  })

  test('follow .apcignore with the semantics of .gitignore', async () => {
    const tree = {
      '.apcignore': '# comment\nnode_modules/\n*.log\n!keep.log\n/top\n',
      'node_modules/x/index.js': '',
      'debug.log': '',
      'keep.log': '',
      'sub/debug.log': '',
      'sub/top': '',
      'sub/node_modules/y': '',
      top: '',
      'file/node_modules': 'a file, which the pattern for a directory does not match',
    }
    expect(await packed(tree)).toEqual(['.apcignore', 'file/', 'file/node_modules', 'keep.log', 'sub/', 'sub/top'])
  })

  test('follow the nearest .apcignore with a matching rule', async () => {
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

  test('include what is below a directory that a nearer .apcignore includes', async () => {
    const tree = {
      '.apcignore': 'lib\n',
      'lib/x': '',
      'sub/.apcignore': '!lib\n',
      'sub/deep/lib/y': '',
      'sub/lib/y': '',
    }
    expect(await packed(tree)).toEqual([
      ...['.apcignore', 'sub/', 'sub/.apcignore', 'sub/deep/', 'sub/deep/lib/', 'sub/deep/lib/y'],
      ...['sub/lib/', 'sub/lib/y'],
    ])
  })

  test('follow an .apcignore below a directory with characters of patterns in its name', async () => {
    const inner = {
      '.apcignore': '/a\n*.b\n\\!c\nd/e\n',
      a: '',
      'x/a': '',
      'x/y.b': '',
      '!c': '',
      'd/e': '',
      'x/d/e': '',
    }
    const tree = Object.fromEntries(Object.entries(inner).map(([name, text]) => [`[a-z] *?/${name}`, text]))
    expect((await packed({ ...tree, 'b cd/a': '' })).map((name) => name.replace('[a-z] *?', '.'))).toEqual([
      ...['./', './.apcignore', './d/', './x/', './x/a', './x/d/', './x/d/e', 'b cd/', 'b cd/a'],
    ])
  })

  test('are below a prefix directory of runner when there is a prefix', async () => {
    const { entries } = await pack(await writeTree(path.join(root, 'stager'), { 'lib/x': '', stager: '' }), 'app')
    expect(entries[0]?.header).toMatchObject({ mode: 0o755, uid: 99, gid: 99 })
    expect(names(entries)).toEqual(['app/', 'app/lib/', 'app/lib/x', 'app/stager'])
  })

  test('may have names of any bytes, in the order of the bytes', async () => {
    const app = await writeTree(path.join(root, 'app'), { z: '', '\u{1f600}': '', '\uff5e': '' })
    await writeFile(Buffer.concat([Buffer.from(`${app}/caf`), Buffer.from([0xe9])]), 'latin-1')
    const { bytes } = await pack(app)
    const listed = execFileSync('tar', ['-tz', '--quoting-style=literal'], { input: bytes }).toString('latin1')
    const expected = [
      'caf\xe9',
      'z',
      Buffer.from('\uff5e').toString('latin1'),
      Buffer.from('\u{1f600}').toString('latin1'),
    ]
    expect(listed.trimEnd().split('\n')).toEqual(expected)
  })

  test('are an archive that the daemon accepts', async () => {
    const long = `${'d'.repeat(120)}/${'e'.repeat(120)}/${'f'.repeat(200)}`
    const app = await writeTree(path.join(root, 'app'), { [long]: 'x', ünï: '', link: `-> ${'t'.repeat(300)}`, b: '' })
    execFileSync('touch', ['-d', '1950-01-01T00:00:00.5Z', path.join(app, 'b')])
    const { bytes } = await pack(app)
    const never = new AbortController().signal
    const summary = await scanArchive(Readable.from([bytes]), DEFAULT_ARCHIVE_LIMITS, never)
    expect(summary).toMatchObject({ compression: 'gzip', entries: 6 })
  })

  test('have data of any length: of a block, of a chunk, and of many chunks', async () => {
    const lengths = [0, 1, 511, 512, 513, 256 * 1024 - 512, 256 * 1024, 1024 * 1024, 1024 * 1024 + 1, 3_000_001]
    const text = (length: number) => 'abcdefg'.repeat(Math.ceil(length / 7)).slice(0, length)
    const tree = Object.fromEntries(lengths.map((length) => [`f${length}`, text(length)]))
    const { entries } = await pack(await writeTree(path.join(root, 'app'), tree))
    expect(Object.fromEntries(entries.map(({ header, text }) => [header.name, text]))).toEqual(tree)
  })

  test('may have names that do not fit a plain tar header', async () => {
    const long = `${'d'.repeat(120)}/${'f'.repeat(200)}`
    expect(await packed({ [long]: '', 'ünï cödé': '' })).toEqual([`${'d'.repeat(120)}/`, long, 'ünï cödé'])
  })
})

describe('modification times', () => {
  test.each([
    ['1969-12-31T23:59:58.5Z', '-1.5'],
    ['1901-12-14T00:00:00Z', '-2147472000'],
    ['2040-01-01T00:00:00Z', undefined],
    ['2242-03-16T12:56:32Z', '8589934592'],
    ['2400-01-01T00:00:00.123456789Z', '13569465600.123456789'],
  ])('of %s are kept, for files, directories and links', async (date, record) => {
    const app = await writeTree(path.join(root, 'app'), { 'd/f': 'x', l: '-> d' })
    for (const name of ['d/f', 'd', 'l']) execFileSync('touch', ['-h', '-d', date, path.join(app, name)])
    const { entries, bytes } = await pack(app)
    expect(names(entries)).toEqual(['d/', 'd/f', 'l'])
    for (const { header } of entries) {
      if (record === undefined) expect(header.mtime).toEqual(new Date(date))
      else expect(header.pax).toMatchObject({ mtime: record })
    }
    const restored = await writeTree(path.join(root, 'restored'), {})
    execFileSync('tar', ['-xz', '-C', restored], { input: bytes, stdio: ['pipe', 'ignore', 'ignore'] })
    const stat = (directory: string) =>
      execFileSync('stat', ['-c', '%n %.9Y', 'd', 'd/f', 'l'], { cwd: directory, encoding: 'utf8' })
    expect(stat(restored)).toBe(stat(app))
  })
})

describe('what a package cannot contain', () => {
  test('is left out and counted: sockets, named pipes', async () => {
    const app = await writeTree(path.join(root, 'app'), { 'a/b': '' })
    execFileSync('mkfifo', [path.join(app, 'a/pipe')])
    const listen = 'import socket,sys; [socket.socket(socket.AF_UNIX).bind(p) for p in sys.argv[1:]]'
    execFileSync('python3', ['-c', listen, 'one', 'two'], { cwd: app })
    const { entries, notes } = await pack(app)
    expect(names(entries)).toEqual(['a/', 'a/b'])
    expect(notes).toEqual([
      '2 sockets are left out, such as "one": a package cannot contain them.',
      'One named pipe or device is left out, "a/pipe": a package cannot contain it.',
    ])
  })
})

describe('a source that changes while it is packed', () => {
  /** Packs 300 files, and changes the last ones after the first chunk. */
  async function packWhile(change: (app: string) => void): Promise<Packed> {
    const files = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`f${index + 100}`, 'x'.repeat(2000)]))
    const app = await writeTree(path.join(root, 'app'), files)
    let isChanged = false
    return await pack(app, '', () => {
      if (!isChanged) change(app)
      isChanged = true
    })
  }

  test('is packed without the files that vanish, and the user is told', async () => {
    const { entries, notes } = await packWhile((app) => execFileSync('rm', ['f398', 'f399'], { cwd: app }))
    expect(names(entries)).toHaveLength(298)
    expect(notes.join()).toContain('2 entries are left out, such as "f398"')
  })

  test('has the length that a file has when its turn comes', async () => {
    const { entries } = await packWhile((app) => execFileSync('sh', ['-c', 'echo more >>f398; : >f399'], { cwd: app }))
    expect(entries.slice(-2).map(({ text }) => text.length)).toEqual([2005, 0])
  })

  test('never has the target of a link that replaces a file', async () => {
    const { entries, notes } = await packWhile((app) =>
      execFileSync('ln', ['-sf', '/etc/passwd', 'f399'], { cwd: app }),
    )
    expect(names(entries)).not.toContain('f399')
    expect(notes.join()).toContain('"f399"')
  })
})

describe('the same tree', () => {
  const tree = { 'a.txt': 'a', 'run.sh': '#!/bin/sh' }

  test('gives the same bytes in any directory, with any umask and set-id bits', async () => {
    const one = await writeTree(path.join(root, 'one'), tree)
    const two = await writeTree(path.join(root, 'two'), tree)
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

/** Of which the archive goes to a temporary file. */
const TOO_LARGE_FOR_MEMORY = randomBytes(128 * 1024).toString('base64')

describe('packing fails', () => {
  test('for a path that no system call takes', async () => {
    const app = await writeTree(path.join(root, 'app'), { a: '' })
    const deep = 'for i in $(seq 20); do mkdir $0 && cd -P $0; done'
    execFileSync('sh', ['-ec', deep, 'd'.repeat(250)], { cwd: app })
    await expect(pack(app)).rejects.toThrow('has too long a path: shorten it')
    execFileSync('rm', ['-rf', app])
  })

  test('for a large file that becomes shorter meanwhile', async () => {
    const app = await writeTree(path.join(root, 'app'), { large: '' })
    await truncate(path.join(app, 'large'), 64 * 1024 * 1024)
    let isCut = false
    const cut = () => {
      if (!isCut) execFileSync('truncate', ['-s', '0', path.join(app, 'large')])
      isCut = true
    }
    await expect(pack(app, '', cut)).rejects.toThrow('"large" became shorter while it was packed')
  })

  test.each(['EACCES', 'ENAMETOOLONG', 'EISDIR', 'ELOOP', 'EIO', 'EMFILE', 'EOVERFLOW'])(
    'for %s with a sentence, not with an error number',
    (code) => {
      const error = entryError('a/b', Object.assign(new Error(`${code}: no sentence, open '/x/a/b'`), { code }))
      expect(error).toMatchObject({ message: expect.stringMatching(/^[^:]+: [^:]+\.$/) as unknown })
      expect((error as Error).message).not.toContain(code)
      expect(exitCodeOfError(error)).toBe(4)
    },
  )

  test.each([
    ['EACCES', 'no-temporary-directory'],
    ['EROFS', 'no-temporary-directory'],
    ['ENOSPC', 'disk-full'],
    ['EIO', 'disk-error'],
  ])('for %s of TMPDIR as %s, with exit code 4', (code, expected) => {
    const error = temporaryFileError('/var/tmp', Object.assign(new Error(`${code}: no sentence`), { code }))
    expect(error).toMatchObject({ code: expected, message: expect.stringContaining('"/var/tmp"') as unknown })
    expect((error as Error).message).not.toContain(code)
    expect(exitCodeOfError(error)).toBe(4)
  })

  test.each([
    ['does not exist', () => Promise.resolve(path.join(root, 'nowhere'))],
    ['is a file', async () => path.join(await writeTree(root, { file: '' }), 'file')],
    ['is a link in a circle', () => symlink('loop', path.join(root, 'loop')).then(() => path.join(root, 'loop'))],
  ])('when TMPDIR %s, with exit code 4', async (_what, make) => {
    const directory = await writeTree(path.join(root, 'app'), { a: TOO_LARGE_FOR_MEMORY })
    const env = { TMPDIR: await make() }
    const error: unknown = await packDirectory({
      directory,
      prefix: '',
      env,
      signal: new AbortController().signal,
    }).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({
      code: 'no-temporary-directory',
      message: expect.stringContaining(env.TMPDIR) as unknown,
    })
    expect(exitCodeOfError(error)).toBe(4)
  })

  test('without any entry, and without a directory', async () => {
    await expect(pack(await writeTree(path.join(root, 'app'), { '.git/config': '' }))).rejects.toThrow(
      'nothing to pack',
    )
    await expect(pack(path.join(root, 'nowhere'))).rejects.toThrow('There is no "')
  })

  test('or succeeds without a visible temporary file', async () => {
    const app = await writeTree(path.join(root, 'app'), { a: TOO_LARGE_FOR_MEMORY })
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
