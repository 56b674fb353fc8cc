import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** Only strips types: `npm run typecheck` checks them. */
const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
}

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Compiles a file of this checkout, and all that it imports, into an installation in the empty directory `root`, so that
 * a child process of a test starts as fast as an installed program, and depends on no build. Returns the path of the
 * compiled file.
 */
export async function compileProgram(entry: string, root: string): Promise<string> {
  const compiled = (source: string) => path.join(root, 'dist', path.relative(CHECKOUT, source)).replace(/\.ts$/, '.js')
  const sources = new Set([entry])
  // The loop also visits what it adds.
  for (const source of sources) {
    const text = await readFile(source, 'utf8')
    for (const { fileName } of ts.preProcessFile(text).importedFiles)
      if (fileName.startsWith('.')) sources.add(path.resolve(source, '..', fileName.replace(/\.js$/, '.ts')))
    await mkdir(path.dirname(compiled(source)), { recursive: true })
    await writeFile(compiled(source), ts.transpileModule(text, { compilerOptions: OPTIONS }).outputText)
  }
  await copyFile(path.join(CHECKOUT, 'package.json'), path.join(root, 'package.json'))
  await symlink(path.join(CHECKOUT, 'node_modules'), path.join(root, 'node_modules'))
  return compiled(entry)
}
