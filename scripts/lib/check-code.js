// Checks the types of the checkout, as `tsc -p tsconfig.json` does, and its rules, as `eslint .` does. The rules ask for
// types: here both ask one program, which finds out the type of each expression once.
import path from 'node:path'
import { ESLint } from 'eslint'
import ts from 'typescript'

const root = path.resolve(import.meta.dirname, '../..')

const host = {
  getCanonicalFileName: (name) => name,
  getCurrentDirectory: () => root,
  getNewLine: () => '\n',
}

const config = ts.getParsedCommandLineOfConfigFile(path.join(root, 'tsconfig.json'), undefined, {
  ...ts.sys,
  onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
    throw new Error(ts.formatDiagnostic(diagnostic, host))
  },
})
const program = ts.createProgram({
  rootNames: config.fileNames,
  options: config.options,
  configFileParsingDiagnostics: config.errors,
})
const wrongTypes = ts.getPreEmitDiagnostics(program)
process.stdout.write(ts.formatDiagnostics(wrongTypes, host))

const eslint = new ESLint({
  cwd: root,
  overrideConfig: {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: false, programs: [program] } },
  },
})
const results = await eslint.lintFiles(['.'])
const formatter = await eslint.loadFormatter()
process.stdout.write(await formatter.format(results))

process.exitCode = wrongTypes.length > 0 || results.some(({ errorCount }) => errorCount > 0) ? 1 : 0
