import { copyFile, mkdir, symlink } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Bundles a file of this checkout into an installation in the directory `root`, as `npm run build` does, so that a child
 * process of a test starts as fast as an installed program, and depends on no build. Returns the path of the program.
 */
export async function compileProgram(entry: string, root: string, name = path.basename(entry, '.ts')): Promise<string> {
  const programs = path.join(root, 'dist/programs')
  const bundle = path.join(CHECKOUT, 'scripts/lib/bundle.js')
  await mkdir(root, { recursive: true })
  await copyFile(path.join(CHECKOUT, 'package.json'), path.join(root, 'package.json'))
  for (const name of ['node_modules', 'stagers']) await symlink(path.join(CHECKOUT, name), path.join(root, name))
  await execa(process.execPath, [bundle, programs, `${name}=${entry}`], { cwd: CHECKOUT })
  return path.join(programs, path.extname(name) ? name : `${name}.js`)
}
