import path from 'node:path'
import { IgnoreRules } from '../../../cli/pack/ignore-rules.js'
import { readIgnoreFile } from '../../../cli/pack/ignore-file.js'
import { formatFqn, parseFqn, type FqnKind } from '../../../base/fqn.js'
import { parseDuration } from '../../../base/duration.js'
import { parseSize } from '../../../base/size.js'
import { detect } from '../../../daemon/packages/detection/detect.js'
import { assertSignPattern, matchesSign } from '../../../daemon/packages/detection/sign-pattern.js'
import { assertImageReference } from '../../../daemon/packages/image-reference.js'
import { decodeRemovalPath, encodeRemovalPath } from '../../../isolation/removal-path.js'
import { assertHolds, assertSame, BrokenLaw, type FuzzTarget } from '../fuzz-target.js'
import { fileWith } from './support.js'

/** The rules of Git for patterns are those of a library: this is about what reaches it. */
const ignoreFile: FuzzTarget = {
  name: 'ignore-file',
  law: 'A file of patterns is refused, or its patterns can be asked for any name.',
  refusals: ['bad-ignore-file'],
  maxBytes: 8 * 1024,
  microsPerByte: 100,
  tokens: [
    '*',
    '**',
    '**/',
    '/**',
    '?',
    '[',
    ']',
    '[!',
    '[[:alpha:]]',
    '[a-z]',
    '\\',
    '!',
    '#',
    '/',
    '.',
    ' ',
    '\n',
    'é',
    '(',
    '+',
    '{',
  ],
  seeds: ['# comment\n*.log\n!keep.log\n/build/\n**/tmp/*\ndoc/[a-z]?.txt\n\\#x\n', 'node_modules\n[[:alpha:]]b\n'],
  run: (bytes) => {
    const patterns = readIgnoreFile(fileWith('.apcignore', bytes), '.apcignore')
    const rules = IgnoreRules.defaults().withFileOf(path.dirname(fileWith('.apcignore', bytes)), '')
    const names = ['a', 'build', 'doc/ab.txt', 'x'.repeat(200), 'a/b/c/d', '[', '.git', 'aaaaaaaaaaaaaaaaaaaaaaaa']
    const ignored = names.filter((name) => rules.ignores(name, name === 'build'))
    return patterns.length === 0 ? 'no pattern' : `${Math.min(3, ignored.length)} ignored`
  },
}

const KINDS: readonly FqnKind[] = ['package', 'job', 'stagpipe', 'policydoc']

/** By the first character: what kind of word it is. */
const words: FuzzTarget = {
  name: 'words',
  law: 'A name that is accepted is printed as itself, sizes and durations are whole numbers, a removal keeps its bytes.',
  refusals: ['bad-fqn', 'bad-name', 'bad-namespace', 'bad-image', 'bad-removal'],
  maxBytes: 4096,
  tokens: [
    '::',
    '/',
    'package::',
    'job::',
    '@sha256:',
    ':',
    '.',
    '_',
    '__',
    '-',
    '%00',
    '%2F',
    '..',
    'KB',
    'TiB',
    'h',
    'ms',
    'e9',
    '0x',
  ],
  seeds: [
    'fpackage::/a/b::c',
    'fname',
    `ighcr.io:5000/a/b_c:1.2@sha256:${'0'.repeat(64)}`,
    's1.5GiB',
    'd1h30m',
    'retc/a%25',
  ],
  run: (bytes) => {
    const text = bytes.toString('utf8', 1)
    switch (String.fromCharCode(bytes[0] ?? 0)) {
      case 'f':
        for (const kind of KINDS) {
          const fqn = parseFqn(text, kind, '/')
          assertSame(parseFqn(formatFqn(kind, fqn), kind, '/'), fqn, 'the name')
        }
        return 'a name'
      case 'i':
        assertImageReference(text)
        assertHolds(!/[\s?#%\\]|\.\.\//.test(text), 'it is no part of a URL')
        return 'an image'
      case 's':
        return whole(parseSize(text))
      case 'd':
        return whole(parseDuration(text))
      case 'r': {
        const path = decodeRemovalPath({ kind: 'removed', path: text })
        assertSame(decodeRemovalPath({ kind: 'removed', path: encodeRemovalPath(path) }), path, 'the path')
        assertHolds(!path.split('/').includes('..') && !path.startsWith('/'), 'it leads out')
        return 'a removal'
      }
      default:
        return 'nothing'
    }
  },
}

function whole(value: number | undefined): string {
  if (value === undefined) return 'no value'
  assertHolds(Number.isSafeInteger(value) && value >= 0, `${value} is no whole number`)
  return 'a value'
}

/** The first line is the pattern, the others are entries. */
const signs: FuzzTarget = {
  name: 'signs',
  law: 'A sign matches what a regular expression of it matches, and detection answers for any entries.',
  refusals: ['bad-sign'],
  maxBytes: 4096,
  // Detection reads each entry by each rule.
  microsPerByte: 200,
  tokens: [
    '*',
    '/',
    '\n',
    'package.json',
    'Gemfile',
    'index.html',
    '.js',
    'void main(',
    'Main-Class: a',
    '/*',
    '"""',
    'É',
  ],
  seeds: [
    '*.tf\nmain.tf\na.TF\n',
    'charts/\ncharts/\n',
    'a*b*c\nabc\naXbXc\nacb\n',
    'deno.json\npackage.json\nserver.js\nvoid main(',
  ],
  run: (bytes) => {
    const [pattern = '', ...entries] = bytes.toString('utf8').split('\n')
    const question = {
      names: entries,
      excerpts: entries.slice(0, 3).map((name) => ({ name, text: bytes.toString('utf8') })),
      pipelines: [],
    }
    const { length } = JSON.stringify(detect(question))
    if (length === 0) throw new BrokenLaw('no answer')
    assertSignPattern(pattern)
    const flags = pattern.includes('*') ? 'i' : ''
    const source = pattern
      .split('*')
      .map((part) => part.replace(/[^A-Za-z0-9]/g, (found) => `\\u{${found.codePointAt(0)!.toString(16)}}`))
    // Only of short ones: the expression may take exponential time, which is why it is not used.
    const known =
      pattern.split('*').length > 4 || !/^[\x20-\x7e]*$/.test(pattern)
        ? undefined
        : new RegExp(`^${source.join('.*')}$`, `su${flags}`)
    for (const entry of entries.slice(0, 20)) {
      const matches = matchesSign(pattern, entry)
      if (known && entry.length < 100 && /^[\x20-\x7e]*$/.test(entry))
        assertSame(
          matches,
          known.test(entry) && pattern.endsWith('/') === entry.endsWith('/'),
          `${pattern} and ${entry}`,
        )
    }
    return 'a sign'
  },
}

export const WORDS: readonly FuzzTarget[] = [ignoreFile, words, signs]
