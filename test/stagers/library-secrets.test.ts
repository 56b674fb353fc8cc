import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openCoordinator } from '../support/open-coordinator.js'
import { directoryOf } from '../support/small-trees.js'
import { callLibrary, LANGUAGES } from '../support/stager-library.js'

describe.each(LANGUAGES)('a secret, by the library for stagers in $language', (language) => {
  it('is a file, if the launch has it', async () => {
    const { url } = await openCoordinator()
    const secrets = await directoryOf({ NPM_TOKEN: 's3cret', 'dir/x': '' })
    const env = { STAGER_URL: url, STAGER_SECRETS: secrets }
    const { exitCode, output } = await callLibrary(language, env, ['secret', 'NPM_TOKEN'], ['finish'])
    expect([exitCode, output]).toEqual([0, `${join(secrets, 'NPM_TOKEN')}\n`])
  })

  it.each([
    ['the launch has none', (secrets: string) => ({ STAGER_SECRETS: join(secrets, 'none') }), 'NPM_TOKEN'],
    ['the launch has only others', (secrets: string) => ({ STAGER_SECRETS: secrets }), 'OTHER'],
    ['stagerd knows none', () => ({}), 'NPM_TOKEN'],
  ])('is nothing where %s, and the stager goes on', async (_where, variables, name) => {
    const { url } = await openCoordinator()
    const secrets = await directoryOf({ NPM_TOKEN: 's3cret' })
    const env = { STAGER_URL: url, ...variables(secrets) }
    const { exitCode, output } = await callLibrary(language, env, ['secret', name], ['finish'])
    expect([exitCode, output.trim()]).toEqual([0, ''])
  })
})
