import { describe, expect, it } from 'vitest'
import { detectionRules, judge, type RuleTable } from '../../../daemon/cloud-foundry/detection-rules.js'

const SINATRA = { '*.rb': '\\s*require[\\s\\(]*[\'"]sinatra(/base)?[\'"]', 'config/environment.rb': false }

const judged = (table: RuleTable, files: Readonly<Record<string, string>>) =>
  judge(detectionRules([table]), new Map(Object.entries(files)))

describe('detection rules', () => {
  it.each<[string, RuleTable, Readonly<Record<string, string>>, string | undefined, string | undefined]>([
    ['some line matches', SINATRA, { 'b.rb': "x\n  require 'sinatra'\n", 'a.rb': 'y' }, undefined, 'b.rb'],
    ['of a file of Windows', SINATRA, { 'b.rb': 'x\r\nrequire "sinatra/base"\r\ny' }, undefined, 'b.rb'],
    ['lines are apart', { x: '^a$' }, { x: 'b\na\nb' }, undefined, 'x'],
    ['no line of them matches', SINATRA, { 'a.rb': "require 'rack'" }, 'no line of "*.rb" matches', undefined],
    ['there is no such file', SINATRA, { 'lib/a.rb': "require 'sinatra'" }, 'no file is named "*.rb"', undefined],
    [
      'a file must not be there',
      SINATRA,
      { 'a.rb': "require 'sinatra'", 'config/environment.rb': '' },
      '"config/environment.rb" is there',
      undefined,
    ],
    ['a file is enough', { '*.war': true }, { 'shop.war': '' }, undefined, 'shop.war'],
    ['below directories', { '**/settings.py': true }, { 'a/b/settings.py': '' }, undefined, 'a/b/settings.py'],
    ['and without any', { '**/settings.py': true }, { 'settings.py': '' }, undefined, 'settings.py'],
    ['in one directory', { '*/s?.py': true }, { 'a/b/s1.py': '' }, 'no file is named "*/s?.py"', undefined],
    ['a point is a point', { 'a.b': true }, { axb: '' }, 'no file is named "a.b"', undefined],
  ])('%s', async (_what, table, files, objection, file) => {
    const found = await judged(table, files)
    if (objection === undefined) expect(found).toEqual({ objection: undefined, file })
    else expect(found).toEqual({ objection: expect.stringContaining(objection) as string, file: undefined })
  })

  it.each<[RuleTable, string]>([
    [{ x: '(' }, 'is not a regular expression of RE2: missing closing )'],
    [{ x: '(?=y)' }, 'is not a regular expression of RE2'],
    [{ x: '((a{1000}){1000}){1000}' }, 'is not a regular expression of RE2'],
    [{ x: 'y'.repeat(2000) }, 'has 2000 characters'],
    [{ '[ab]': true }, 'is not a pattern of files'],
    [{ '/etc/passwd': true }, 'is not a pattern of files'],
    [Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`f${index}`, true])), 'at most 64 detection rules'],
  ])('%s are refused', (table, message) => {
    expect(() => detectionRules([table])).toThrow(message)
  })

  // With an expression that looks back, this would take longer than the universe has been there.
  it('take time in proportion to the text, whatever the expression', async () => {
    const found = await judged({ x: '^(a+)+$' }, { x: `${'a'.repeat(30_000)}!` })
    expect(found.objection).toContain('no line of "x" matches')
  })
})
