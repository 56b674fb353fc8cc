import { chmod, copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** Only strips types: `npm run typecheck` checks them. */
const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
}

const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url))

/** Compiles the client from the current sources into an installation of its own, so that no test depends on a build. */
export async function compileClient(root: string): Promise<void> {
  for (const folder of ['base', 'cli']) await transpile(folder, path.join(root, 'dist', folder))
  await copyFile(path.join(CHECKOUT, 'package.json'), path.join(root, 'package.json'))
  await symlink(path.join(CHECKOUT, 'node_modules'), path.join(root, 'node_modules'))
  await mkdir(path.join(root, 'bin'))
  await copyFile(path.join(CHECKOUT, 'bin/stagectl'), path.join(root, 'bin/stagectl'))
  await chmod(path.join(root, 'bin/stagectl'), 0o755)
}

async function transpile(directory: string, out: string): Promise<void> {
  await mkdir(out, { recursive: true })
  for (const entry of await readdir(path.join(CHECKOUT, directory), { withFileTypes: true })) {
    const source = path.join(directory, entry.name)
    if (entry.isDirectory()) await transpile(source, path.join(out, entry.name))
    else {
      const text = await readFile(path.join(CHECKOUT, source), 'utf8')
      const { outputText } = ts.transpileModule(text, {
        compilerOptions: OPTIONS,
      })
      await writeFile(path.join(out, entry.name.replace(/\.ts$/, '.js')), outputText)
    }
  }
}
