import { expect, it } from 'vitest'
import { loadSettings } from '../../../daemon/settings/load-settings.js'
import { listDefinitions } from '../../../daemon/settings/settings.js'
import { showSettings } from '../../../daemon/settings/show-settings.js'

it('the log shows each setting by its key, and no password', async () => {
  const password = 'p4ss'
  const flags = {
    concurrency: '7',
    httpProxy: `http://me:${password}@proxy.example.org:3128`,
    debianMirror: `https://me:${password}@mirror.example.org/debian`,
  }
  const sources = { environment: {}, file: '/nonexistent', fileIsRequired: false, workingDirectory: '/' }
  const shown = showSettings(await loadSettings({ flags, ...sources }))
  expect(Object.keys(shown)).toEqual(listDefinitions().map(({ key }) => key))
  expect(shown).toMatchObject({
    concurrency: 7,
    'http-proxy': 'http://…@proxy.example.org:3128',
    'debian-mirror': 'https://…@mirror.example.org/debian',
  })
  expect(JSON.stringify(shown)).not.toContain(password)
})
