import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { loadSettings } from '../../daemon/settings/load-settings.js'
import { settingsFileText } from '../../daemon/settings/settings-file-text.js'
import { listDefinitions } from '../../daemon/settings/settings.js'

const FILE = path.resolve(import.meta.dirname, '../../packaging/stagerd.toml')

/** Their defaults depend on the host. */
const BY_HOST = ['concurrency', 'cpus']

const load = (file: string) =>
  loadSettings({ flags: {}, environment: {}, file, fileIsRequired: true, workingDirectory: '/' })

it('the settings file of the package is made from the list of settings: npm run settings-file', async () => {
  expect(await readFile(FILE, 'utf8')).toBe(settingsFileText())
})

it('the settings file of the package shows every setting, with its default', async () => {
  const shown = [...(await readFile(FILE, 'utf8')).matchAll(/^# ([a-z0-9-]+) = (.*)$/gm)]
  expect(shown.map(([, key]) => key)).toEqual(listDefinitions().map(({ key }) => key))

  const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-settings-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const uncommented = path.join(directory, 'stagerd.toml')
  await writeFile(
    uncommented,
    shown
      .filter(([, key = '']) => !BY_HOST.includes(key))
      .map(([, key, value]) => `${key} = ${value}\n`)
      .join(''),
  )
  expect(await load(uncommented)).toEqual(await load(FILE))
})
