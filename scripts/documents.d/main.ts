// main.js DIRECTORY: writes what an installation has beside its programs, each made from what the programs themselves use:
// pages of the manual, completion for shells, and the settings file.
import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { installedVersion } from '../../base/installation.js'
import { completionScript, SHELLS } from '../../cli/completion/scripts.js'
import { settingsFileText } from '../../daemon/settings/settings-file-text.js'
import { renderPage } from './man-page.js'
import { pagesOf } from './pages.js'
import { stagectlCommand } from './stagectl-command.js'

const [directory = 'dist/documents'] = process.argv.slice(2)

await rm(directory, { recursive: true, force: true })
await mkdir(path.join(directory, 'man'), { recursive: true })
await mkdir(path.join(directory, 'completion'))
for (const page of pagesOf(await stagectlCommand(), installedVersion()))
  await writeFile(path.join(directory, 'man', `${page.name}.${page.section}`), renderPage(page))
for (const shell of SHELLS) await writeFile(path.join(directory, 'completion', shell), completionScript(shell))
await writeFile(path.join(directory, 'stagerd.toml'), settingsFileText())
