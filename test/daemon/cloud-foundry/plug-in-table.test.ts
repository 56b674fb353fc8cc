import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { installDirectory } from '../../../base/installation.js'
import { plugInTable } from '../../../daemon/cloud-foundry/plug-in-table.js'
import { readPlugInTable } from '../../../daemon/cloud-foundry/read-plug-in-table.js'
import { shippedPipelines } from '../../../daemon/bootstrap/shipped-pipelines.js'

const of = (...texts: readonly string[]) =>
  plugInTable(texts.map((text, index) => ({ name: `/etc/f${index}.toml`, text })))

describe('the frameworks and runtimes of Cloud Foundry', () => {
  it('that ship with stagerd have pipelines that ship with it, too', async () => {
    const { frameworks, runtimes } = await readPlugInTable(installDirectory(), undefined)
    expect([...frameworks.keys()]).toEqual(
      expect.arrayContaining(['sinatra', 'rack', 'rails3', 'node', 'standalone', 'php', 'wsgi', 'django', 'java_web']),
    )
    const shipped = await shippedPipelines(installDirectory())
    for (const { pipeline } of [...frameworks.values(), ...runtimes.values()])
      expect(pipeline === undefined ? shipped : shipped.map((fqn) => fqn.split('::')[2])).toContain(
        pipeline ?? shipped[0],
      )
    const text = await readFile(path.join(installDirectory(), 'stagers/cloud-foundry.toml'), 'utf8')
    expect(text).toContain('[frameworks.sinatra]')
  })

  it('of a later file replace those of an earlier one, by name', () => {
    const { frameworks, runtimes } = of(
      '[frameworks.a]\npipeline = "x"\n[frameworks.b]\n[runtimes]\nr = { capability = "runtime.r" }',
      '[frameworks.a]\npipeline = "/team::y"\nstart = "go @file@"\n',
    )
    expect([...frameworks].map(([name, { pipeline }]) => [name, pipeline])).toEqual([
      ['a', '/team::y'],
      ['b', undefined],
    ])
    expect(runtimes.get('r')).toEqual({ capability: { type: 'runtime', name: 'r' }, pipeline: undefined })
  })

  it.each([
    ['[frameworks.a', 'Line 1 of /etc/f0.toml, at column'],
    ['[frameworks.a]\npipline = "x"', '"frameworks.a" in the line 2 of /etc/f0.toml has "pipline", which is unknown'],
    ['x = 1', 'The line 1 of /etc/f0.toml has "x", which is unknown'],
    ['[frameworks.a]\n\npipeline = 7', '"frameworks.a.pipeline" in the line 3 of /etc/f0.toml must be a string'],
    ['[frameworks.a]\npipeline = "a b"', 'frameworks.a in line 1 of /etc/f0.toml: "a b" is not a name'],
    ['[runtimes]\n\nr = { capability = "ruby" }', 'runtimes.r in line 3 of /etc/f0.toml: "ruby" is not a capability'],
    ['[frameworks.a]\ndetect = [{ x = 7 }]', 'must be one of "an expression", "true or false"'],
    ['[runtimes]\nr = { }', '"runtimes.r" in the line 2 of /etc/f0.toml lacks "capability"'],
    [
      '[frameworks.a]\ndetect = [\n { "*.rb" = "(" },\n]',
      'frameworks.a in line 1 of /etc/f0.toml: The expression of "*.rb", "(", is not a regular expression',
    ],
  ])('%j are refused in one sentence', (text, message) => {
    expect(() => of(text)).toThrow(message)
  })
})
