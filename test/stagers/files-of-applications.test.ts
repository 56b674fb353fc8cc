import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { openCoordinator } from '../support/open-coordinator.js'
import { directoryOf } from '../support/small-trees.js'
import { LIBRARY } from '../support/stager-library.js'

/** Runs `command` in a shell that has the library for applications, whose files these are. */
async function inStager(files: Readonly<Record<string, string>>, command: string) {
  const { url, handler } = await openCoordinator()
  const script = `source "$0/stager.sh"; source "$0/application.sh"; app=$1; ${command}; finish`
  const { all } = await execa('bash', ['--norc', '-c', script, LIBRARY, await directoryOf(files)], {
    env: { STAGER_URL: url },
    reject: false,
    all: true,
  })
  return { output: all, verdict: handler.calls.at(-1) }
}

describe('a file of an application', () => {
  it.each([
    ['as it should be', 'web: node app.js\nworker: node w.js\n'],
    ['with carriage returns', 'web: node app.js\r\nworker: node w.js\r\n'],
    ['with a mark at its beginning', '\uFEFFweb: node app.js\r\n'],
    ['without an end of its last line', 'worker: node w.js\nweb:node app.js'],
    ['with a space before the colon', 'web : node app.js\n'],
  ])('may be a Procfile %s', async (_what, text) => {
    expect((await inStager({ Procfile: text }, 'given_start')).output).toBe('node app.js')
  })

  it('may be JSON that begins with a mark', async () => {
    const files = { 'package.json': '\uFEFF{\r\n  "engines": { "node": "18" }\r\n}\r\n' }
    expect((await inStager(files, 'json_string package.json engines/node')).output).toBe('18')
  })

  it.each(['{ "engines": ', '{ "engines', '{'])('that is no JSON ends the stager, and is named: %j', async (text) => {
    expect(await inStager({ 'package.json': text }, 'read_json package.json')).toEqual({
      output: 'package.json is cut short, or is no JSON.',
      verdict: 'verdict failed',
    })
  })
})
