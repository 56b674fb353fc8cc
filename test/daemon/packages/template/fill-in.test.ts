import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fillIn } from '../../../../daemon/packages/template/fill-in.js'
import type { TemplateData } from '../../../../daemon/packages/template/template-values.js'

const DATA: TemplateData = {
  uuid: '6b1f7a4e-0000-4000-8000-000000000001',
  name: 'shop',
  num_instances: 1,
  cpu: 500,
  memory: 268435456,
  disk: 1073741824,
  port: 8080,
  env: { B: 'two', A: 'one', EMPTY: '' },
  tags: [
    { Name: 'tier', Value: 'front' },
    { Name: 'team', Value: 'shop' },
  ],
}

describe('a template', () => {
  it.each<[what: string, template: string, text: string]>([
    ['without placeholders', 'plain { text }\n', 'plain { text }\n'],
    ['empty', '', ''],
    ['the values of the job', '{{uuid}} {{ name }} {{num_instances}}', `${DATA.uuid} shop 1`],
    ['its limits', '{{cpu}} {{memory}} {{disk}} {{port}}', '500 268435456 1073741824 8080'],
    ['a variable', '{{env "A"}}|{{env "EMPTY"}}|{{env "MISSING"}}', 'one||'],
    ['a raw string', '{{env `A`}}', 'one'],
    [
      'all variables, in the order of their names',
      '{{range $key, $val := env_map}}{{$key}}={{$val}};{{end}}',
      'A=one;B=two;EMPTY=;',
    ],
    ['a list of objects', '{{range tags}}{{.Name}}:{{.Value}} {{end}}', 'tier:front team:shop '],
    ['the number of an element', '{{range $i, $tag := tags}}{{$i}}={{$tag.Name}} {{end}}', '0=tier 1=team '],
    ['one variable in a range', '{{range $tag := tags}}{{$tag.Value}},{{end}}', 'front,shop,'],
    ['a condition', '{{if has_tag "tier"}}yes{{else}}no{{end}}{{if has_tag "x"}}yes{{else}}no{{end}}', 'yesno'],
    ['else if', '{{if env "X"}}x{{else if env "A"}}a{{else}}none{{end}}.', 'a.'],
    [
      'routes and bindings, of which a run has none',
      'r{{range routes}}{{.URL}}{{if .Public}}{{.ListenPort}}{{else}}{{.X}}{{end}}{{end}}b{{range bindings}}{{.URI.Host}}{{else}}none{{end}}',
      'rbnone',
    ],
    ['a literal, as for the delimiter itself', '{{"{{"}}name{{"}}"}} {{-1}} {{true}}', '{{name}} -1 true'],
    ['a string with escapes', String.raw`{{"a\"b\n\u00e9"}}`, 'a"b\né'],
    ['parentheses', '{{env (env "NONE")}}{{(name)}}', 'shop'],
    ['a variable of its own', '{{$x := env "A"}}{{$x}}{{$x}}', 'oneone'],
    ['comments', 'a{{/* {{not}} read */}}b', 'ab'],
    ['spaces that are trimmed', 'a \n {{- name -}} \n b', 'ashopb'],
    ['a comment that trims', 'a {{- /* c */ -}} b', 'ab'],
    ['spaces between words', '{{\n  range\ttags }}x{{ end\n}}', 'xx'],
    ['other characters around it', 'é{{name}}\u{1f600}', 'éshop\u{1f600}'],
    ['variables with names of objects', '{{env "constructor"}}{{env "__proto__"}}', ''],
  ])('is filled in: %s', (_what, template, text) => {
    expect(fillIn(template, DATA)).toBe(text)
  })

  it('has the delimiters that its file needs', () => {
    expect(fillIn('{{name}} <<name>> << env "A" >>', DATA, { left: '<<', right: '>>' })).toBe('{{name}} shop one')
    expect(fillIn('%name% %"%"%', DATA, { left: '%', right: '%' })).toBe('shop %')
  })

  it.each<[template: string, message: string]>([
    [
      'a\nb {{nmae}}',
      'Line 2, column 5: expected name, or another one of the values (uuid, name, num_instances, cpu, memory, disk, port, env_map, env, tags, has_tag, routes, bindings, binding_service), if, range, else or end, found "nmae".',
    ],
    [
      '{{name',
      'Line 1, column 7: expected a name, a field, a string, a number, or the }} that closes the action, found the end of the text.',
    ],
    [
      '{{env "A}}',
      'Line 1, column 7: expected a name, a field, a string, a number, or the }} that closes the action, found "\\"".',
    ],
    ['{{}}', 'Line 1, column 3: expected a value, found "}}".'],
    ['{{env}}', 'Line 1, column 6: expected the name of a variable for env, found "}}".'],
    ['{{env "A" "B"}}', 'Line 1, column 11: expected the }} that closes the action, found "B".'],
    [
      '{{name | env}}',
      'Line 1, column 8: expected a name, a field, a string, a number, or the }} that closes the action, found "|".',
    ],
    ['x\n{{if name}}', 'Line 2, column 1: expected an end of this if, found the end of the text.'],
    ['{{range tags}}{{if name}}{{end}}', 'Line 1, column 1: expected an end of this range, found the end of the text.'],
    ['{{end}}', 'Line 1, column 1: expected an if or a range before it, found an end without one.'],
    ['{{else}}', 'Line 1, column 1: expected an if or a range before it, found an else without one.'],
    [
      '{{if name}}{{else}}{{else}}{{end}}',
      'Line 1, column 20: expected an if or a range before it, found an else without one.',
    ],
    ['{{if}}{{end}}', 'Line 1, column 5: expected a condition, found "}}".'],
    ['{{range name}}{{end}}', 'Line 1, column 9: expected a list or a map to range over, found the string "shop".'],
    ['{{tags}}', 'Line 1, column 3: expected a text or a number, found a list.'],
    [
      '{{range tags}}{{.}}{{end}}',
      'Line 1, column 17: expected a text or a number, found an object with the fields Name, Value.',
    ],
    [
      '{{range tags}}\n {{.Nme}}{{end}}',
      'Line 2, column 4: expected something with a field Nme, found an object with the fields Name, Value.',
    ],
    ['{{.Name}}', 'Line 1, column 3: expected something with a field Name, found nothing.'],
    ['{{$x}}', 'Line 1, column 3: expected a variable that is declared before, found "$x".'],
    [
      '{{if name}}{{$x := name}}{{end}}{{$x}}',
      'Line 1, column 35: expected a variable that is declared before, found "$x".',
    ],
    [
      '{{ (binding_service "db").URI.Host }}',
      'Line 1, column 5: expected a binding of the job, found none named "db".',
    ],
    ['{{env (name}}', 'Line 1, column 12: expected the ) that closes the parenthesis, found "}}".'],
    ['{{/* never closed }}', 'Line 1, column 1: expected a comment that ends with */}}, found another end.'],
    [
      '{{"\\q"}}',
      'Line 1, column 3: expected a string with escapes such as \\n, \\" and \\u00e9, found "\\"\\\\q\\"".',
    ],
    [
      '{{range $a, $b, $c := tags}}{{end}}',
      'Line 1, column 17: expected one or two variables, such as $key, $value, found "c".',
    ],
  ])('with a mistake says where it is: %j', (template, message) => {
    expect(() => fillIn(template, DATA)).toThrow(expect.objectContaining({ code: 'bad-syntax', message }))
  })

  it('cannot keep the daemon busy', () => {
    const env = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`V${index}`, 'x']))
    const loops = '{{range env_map}}'.repeat(4) + '{{.}}' + '{{end}}'.repeat(4)
    expect(() => fillIn(loops, { ...DATA, env })).toThrow(/expected at most 200000 steps/)
    const large = { ...DATA, env: { ...env, LARGE: 'x'.repeat(90_000) } }
    expect(() => fillIn('{{range env_map}}{{env "LARGE"}}{{end}}', large)).toThrow(/expected at most 4 MiB/)
    const deep = `{{${'('.repeat(100)}name${')'.repeat(100)}}}`
    expect(() => fillIn(deep, DATA)).toThrow(/fewer parentheses/)
    expect(() => fillIn('{{if name}}'.repeat(100) + '{{end}}'.repeat(100), DATA)).toThrow(/at most 64 blocks/)
  })

  it('without its left delimiter is the text itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(!text.includes('{{'))
        expect(fillIn(text, DATA)).toBe(text)
      }),
    )
  })

  it('passes every value on as it is: no value is read as a template', () => {
    const value = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('{{name}}', '{{', '}}', '$1', '$&', '\n'))
    fc.assert(
      fc.property(value, fc.string(), fc.string(), (text, before, after) => {
        fc.pre(!`${before} ${after}`.includes('{'))
        const template = `${before} {{env "V"}} ${after}`
        expect(fillIn(template, { ...DATA, env: { V: text } })).toBe(`${before} ${text} ${after}`)
      }),
    )
  })

  it('is either filled in, or refused with a position within it', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '{{',
        '}}',
        '{{-',
        '-}}',
        'if',
        'range',
        'else',
        'end',
        'env',
        '"A"',
        'tags',
        '.Name',
        '.',
        '$x',
        ':=',
        '(',
        ')',
        '/*',
        '*/',
        ' ',
        '\n',
        '`',
      ),
      fc.string({ maxLength: 3 }),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const template = pieces.join('')
        try {
          fillIn(template, DATA)
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad-syntax' })
          const { line, column } = error as { line: number; column: number }
          const lines = template.split('\n')
          expect(line).toBeLessThanOrEqual(lines.length)
          expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1)
        }
      }),
      { numRuns: 2000 },
    )
  })
})
