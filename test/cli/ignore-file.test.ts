import { execFileSync } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { packDirectory } from '../../cli/pack/pack-directory.js'
import { exitCodeOfError } from '../../cli/session/exit-codes.js'
import { names, readTar } from './support/read-tar.js'
import { makeWorkspace, writeTree } from './support/workspace.js'

let root: string
let app: string
let remove: () => Promise<void>
beforeEach(async () => {
  ;({ root, remove } = await makeWorkspace())
  app = await writeTree(path.join(root, 'app'), { secret: '', code: '' })
})
afterEach(() => remove())

async function packed(): Promise<string[]> {
  const signal = new AbortController().signal
  const tarball = await packDirectory({ directory: app, prefix: '', env: { TMPDIR: root }, signal })
  try {
    return names(await readTar(tarball.read()))
  } finally {
    await tarball.dispose()
  }
}

/** Packs with an ignore file of this content. */
async function packedWith(content: string | Buffer): Promise<string[]> {
  await writeFile(path.join(app, '.apcignore'), content)
  return (await packed()).filter((name) => name !== '.apcignore')
}

async function refusal(): Promise<string> {
  const error: unknown = await packed().then(
    (entries) => `packed ${entries.join(' ')}`,
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({ code: 'bad-ignore-file' })
  expect(exitCodeOfError(error)).toBe(4)
  return (error as Error).message
}

describe('an ignore file', () => {
  test('matches the case of names, as the filesystem does', async () => {
    await writeTree(app, { Build: '', build: '', 'README.md': '', 'readme.md': '' })
    expect(await packedWith('build\nREADME*\n')).toEqual(['Build', 'code', 'readme.md', 'secret'])
  })

  test.each([
    ['with a byte order mark', '\ufeffsecret\n'],
    ['with the line ends of Windows', 'nothing\r\nsecret\r\n'],
    ['without a last line end', 'secret'],
    ['with trailing blanks and blank lines', '  \n\t\n\nsecret   \n'],
    ['with comments', '# secret\nsecret\n'],
    ['with escaped characters', 'a\\#b\n\\!c\nd\\ \ne\\[f\nsecret\n'],
    ['with classes', 's[[:alpha:]]cret\n[]x]y\n[!a]z\n'],
  ])('%s is read', async (_what, content) => expect(await packedWith(content)).toEqual(['code']))

  test('matches a letter with an accent, whether it is one character or two', async () => {
    await writeTree(app, { ['caf\u00e9']: '', ['the\u0301']: '' })
    expect(await packedWith('cafe\u0301\nth\u00e9\n')).toEqual(['code', 'secret'])
  })

  test('may be a symbolic link to a file', async () => {
    await writeFile(path.join(root, 'shared'), 'secret\n')
    await symlink('../shared', path.join(app, '.apcignore'))
    expect(await packed()).toEqual(['.apcignore', 'code'])
  })
})

describe('an ignore file is refused, not passed over,', () => {
  test.each([
    ['in UTF-16', Buffer.from('\ufeffsecret\n', 'utf16le'), 'UTF-16'],
    ['in UTF-16 without a mark', Buffer.from('secret\n', 'utf16le'), 'UTF-16'],
    ['in Latin-1', Buffer.from('caf\u00e9\n', 'latin1'), 'not a text in UTF-8'],
    ['with a NUL byte', 'secret\n\0', 'binary file'],
    ['with the line ends of old Macs', 'code\rsecret\r', 'end each line with a line feed'],
    ['that was joined from files with marks', 'x\n\ufeffsecret\n', 'cannot be seen'],
  ])('%s', async (_what, content, message) => {
    await writeFile(path.join(app, '.apcignore'), content)
    expect(await refusal()).toContain(message)
  })

  test.each([
    ['./secret', 'without . and ..'],
    ['../app/secret', 'without . and ..'],
    ['conf/../secret', 'without . and ..'],
    ['conf\\secret', 'write /'],
    ['conf\\', 'ends with a backslash'],
    ['conf//secret', 'two slashes'],
    ['secret # the password', 'a line of its own'],
    ['  secret', 'blanks at its beginning'],
    ['secret\t', 'a tab at its end'],
    ['[secret', 'has no ]'],
    ['[[:letter:]]ecret', 'has no ]'],
    ['[]', 'has no ]'],
    ['!', 'has no name'],
    ['/', 'has no name'],
  ])('because of the line %j', async (line, message) => {
    await writeFile(path.join(app, '.apcignore'), `# rules\n${line}\n`)
    const refused = await refusal()
    expect(refused).toContain(message)
    expect(refused).toContain('line 2')
  })

  test.each([
    ['a directory', () => mkdir(path.join(app, '.apcignore')), 'is not a file'],
    ['a link to nothing', () => symlink('nowhere', path.join(app, '.apcignore')), 'a symbolic link to nothing'],
    ['a link to itself', () => symlink('.apcignore', path.join(app, '.apcignore')), 'leads in a circle'],
    ['a named pipe', () => Promise.resolve(execFileSync('mkfifo', [path.join(app, '.apcignore')])), 'is not a file'],
    ['a device', () => symlink('/dev/zero', path.join(app, '.apcignore')), 'is not a file'],
    ['of another case', () => writeFile(path.join(app, '.ApcIgnore'), ''), 'rename it to .apcignore'],
    ['with the extension of an editor', () => writeFile(path.join(app, '.apcignore.txt'), ''), 'rename it'],
  ])('when it is %s', async (_what, make, message) => {
    await make()
    expect(await refusal()).toContain(message)
  })

  test('with its path, in a subdirectory', async () => {
    await writeTree(app, { 'sub/.apcignore': './x\n' })
    expect(await refusal()).toContain('"sub/.apcignore"')
  })
})
