import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { atTestEnd } from './at-test-end.js'

/** An empty directory. It is removed at the end of the test. */
export async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'stagerd-small-'))
  atTestEnd(() => rm(directory, { recursive: true }))
  return directory
}

/** A directory with `files`, by path. */
export async function directoryOf(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const directory = await scratch()
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(directory, path, '..'), { recursive: true })
    await writeFile(join(directory, path), content)
  }
  return directory
}

/** These paths of such a directory as tar packs them, with gzip. */
export async function packed(
  files: Readonly<Record<string, string | Buffer>>,
  ...paths: readonly string[]
): Promise<Buffer> {
  const args = ['-czf', '-', '-C', await directoryOf(files), ...paths]
  return Buffer.from((await execa('tar', args, { encoding: 'buffer' })).stdout)
}

export async function entriesOf(tarball: Buffer): Promise<string[]> {
  return (await execa('tar', ['-tzf', '-'], { input: tarball })).stdout.split('\n').sort()
}

export async function namesIn(directory: string): Promise<string[]> {
  return (await readdir(directory, { recursive: true })).sort()
}
