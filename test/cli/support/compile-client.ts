import { chmod, copyFile, mkdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileProgram } from '../../support/compile-program.js'

const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url))

/** Bundles the client from the current sources into an installation of its own. */
export async function compileClient(root: string): Promise<void> {
  await compileProgram(path.join(CHECKOUT, 'cli/main.ts'), root, 'stagectl.cjs')
  await mkdir(path.join(root, 'bin'))
  await copyFile(path.join(CHECKOUT, 'bin/stagectl'), path.join(root, 'bin/stagectl'))
  await chmod(path.join(root, 'bin/stagectl'), 0o755)
}
