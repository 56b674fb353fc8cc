import path from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'

const PROGRAM = path.resolve(import.meta.dirname, '../../stagers/buildpack/release.rb')

async function read(yaml: string) {
  const { exitCode, stdout, stderr } = await execa('ruby', [PROGRAM], { input: yaml, reject: false })
  const [web, ...variables] = stdout.split('\0').slice(0, -1)
  return exitCode === 0 ? { web, variables } : { refused: stderr }
}

describe('what bin/release of a buildpack prints', () => {
  it.each<[string, string, readonly string[]]>([
    [
      '---\naddons: [pg]\ndefault_process_types:\n  web: ruby a.rb\nconfig_vars:\n  A: 1\n  B: "x\\ny"\n  C:\n',
      'ruby a.rb',
      ['A', '1', 'B', 'x\ny', 'C', ''],
    ],
    [':default_process_types: {web: x}', 'x', []],
    ['', '', []],
    ['--- {}', '', []],
    ['unknown: [1, {a: 2}]', '', []],
    ['config_vars: {P: "$PATH:`id`"}', '', ['P', '$PATH:`id`']],
  ])('%j gives the web process and the variables', async (yaml, web, variables) => {
    expect(await read(yaml)).toEqual({ web, variables })
  })

  it.each([
    ['a: &a [1]\nb: *a', 'Unknown alias: a'],
    ['--- !ruby/object:Object {}', 'unspecified class: Object'],
    ['[', 'no YAML for a release'],
    ['7', 'a document, which is no table'],
    ['config_vars: [1]', 'config_vars, which is no table'],
    ['config_vars: {A: [1]}', 'config_vars.A, which is no text'],
    ['config_vars: {"A B": x}', '"A B" in config_vars, which is not the name of a variable'],
    ['config_vars: {STAGER_ADDED: x}', 'STAGER_ADDED in config_vars, which only stagers set'],
    ['config_vars: {A: "\\0"}', 'a character in a value'],
    ['default_process_types: {web: [x]}', 'default_process_types.web, which is no text'],
    ['\xff', 'no UTF-8'],
    ['a'.repeat(70_000), 'more than 65536 bytes'],
    [`${'{a: '.repeat(9000)}1${'}'.repeat(9000)}`, 'too deep'],
  ])('%.40j is refused in one sentence', async (yaml, why) => {
    const input = Buffer.from(yaml, yaml === '\xff' ? 'latin1' : 'utf8')
    const { exitCode, stdout, stderr } = await execa('ruby', [PROGRAM], { input, reject: false })
    expect([exitCode, stdout]).toEqual([1, ''])
    expect(stderr).toContain(why)
    expect(stderr.trim()).toMatch(/^[^\n]*\.$/)
  })
})
