import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { directoryOf } from '../support/small-trees.js'
import { LIBRARY } from '../support/stager-library.js'

const FIRST = { PATH: process.env.PATH ?? '', HOME: '/app', STAGER_URL: 'http://198.18.0.1:4000/one' }

async function keyOf(app: string, env: Readonly<Record<string, string>>): Promise<string> {
  const script = 'source "$1/application.sh"; app=$2; set_by_stager=NODE_ENV; key_of package.json package-lock.json'
  return (await execa('bash', ['--norc', '-c', script, 'bash', LIBRARY, app], { env, extendEnv: false })).stdout
}

describe('the key of installed dependencies', () => {
  it('is that of the first staging at the second, which has what the stager has set, and another coordinator', async () => {
    const app = await directoryOf({ 'package.json': '{}', 'package-lock.json': '{}', 'app.js': '1' })
    const second = {
      ...FIRST,
      STAGER_URL: 'http://198.18.0.17:4001/other',
      STAGER_ADDED: 'runtime.node',
      STAGER_START_COMMAND: 'npm start',
      START_COMMAND: 'npm start',
      START_PATH: '/app',
      NODE_ENV: 'production',
      no_proxy: '198.18.0.17',
      NO_PROXY: '198.18.0.17',
    }
    const key = await keyOf(app, FIRST)
    await writeFile(join(app, 'app.js'), '2')
    expect(await keyOf(app, second)).toBe(key)
  })

  it('differs with each of the files, also with one that is missing, and with any other variable', async () => {
    const app = await directoryOf({ 'package.json': '{}', 'package-lock.json': '{}' })
    const keys = [await keyOf(app, FIRST), await keyOf(app, { ...FIRST, npm_config_omit: 'optional' })]
    await writeFile(join(app, 'package-lock.json'), '{ }')
    keys.push(await keyOf(app, FIRST))
    keys.push(await keyOf(await directoryOf({ 'package.json': '{}' }), FIRST))
    expect(new Set(keys).size).toBe(4)
  })
})
