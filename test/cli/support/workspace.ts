import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** Maps paths to the text of a file, to null for a directory, or to `-> target` for a symbolic link. */
export type Tree = Readonly<Record<string, string | null>>

export async function makeWorkspace(): Promise<{ root: string; remove: () => Promise<void> }> {
  const root = await mkdtemp(path.join(tmpdir(), 'stagectl-test-'))
  return { root, remove: () => rm(root, { recursive: true, force: true }) }
}

/** Writes the tree. All files get the same modification time. */
export async function writeTree(root: string, tree: Tree): Promise<string> {
  await mkdir(root, { recursive: true })
  for (const [name, content] of Object.entries(tree)) {
    const file = path.join(root, name)
    await mkdir(content === null ? file : path.dirname(file), { recursive: true })
    if (content === null) continue
    if (content.startsWith('-> ')) await symlink(content.slice(3), file)
    else {
      await writeFile(file, content)
      await utimes(file, 1_700_000_000, 1_700_000_000)
    }
  }
  return root
}
