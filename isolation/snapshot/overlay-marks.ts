import type { Readable } from 'node:stream'
import { Fault } from '../../base/errors.js'
import { type FilterExit, throughProcess } from '../archive/filter-process.js'
import type { OverlayMarks } from './overlay-entry.js'

export interface MarkedDirectory {
  readonly path: string
  readonly marks: OverlayMarks
}

const PATTERN = '^trusted\\.overlay\\.(opaque|redirect|metacopy)$'

/**
 * Yields each of `directories` that has attributes by which overlayfs changes the meaning of a directory. Paths are from
 * `upper`, bytes as latin1. The attributes that overlayfs only uses itself (`origin`, `impure`, `uuid`, `upper`) are
 * left out.
 *
 * Node has no calls for extended attributes, so one `getfattr` reads them all. It needs CAP_SYS_ADMIN: without it the
 * kernel hides `trusted.*`.
 *
 * @param directories paths from `upper`, each followed by a NUL
 * Throws `Fault` (`attributes-unreadable`).
 */
export function readOverlayMarks(
  upper: string,
  directories: Readable,
  signal?: AbortSignal,
): AsyncGenerator<MarkedDirectory> {
  const getfattr = ['getfattr', '-h', '-d', '-m', PATTERN, '--']
  const dump = throughProcess(
    directories,
    ['env', `--chdir=${upper}`, 'LC_ALL=C', 'xargs', '--null', '--no-run-if-empty', ...getfattr],
    { checkExit, ...(signal ? { signal } : {}) },
  )
  return marksIn(dump.setEncoding('latin1') as AsyncIterable<string>)
}

function checkExit({ exitCode, stderr }: FilterExit): Fault | undefined {
  if (exitCode === 0) return undefined
  return new Fault(
    'attributes-unreadable',
    `The attributes of what the container changed could not be read: ${stderr || 'getfattr was killed'}.`,
  )
}

/** @param dump output of `getfattr --dump`, in chunks; it writes special bytes as three octal digits */
export async function* marksIn(dump: AsyncIterable<string>): AsyncGenerator<MarkedDirectory> {
  let rest = ''
  for await (const chunk of dump) {
    const paragraphs = (rest + chunk).split('\n\n')
    rest = paragraphs.pop() ?? ''
    for (const paragraph of paragraphs) yield parse(paragraph)
  }
  if (rest !== '') yield parse(rest)
}

function parse(paragraph: string): MarkedDirectory {
  const [head = '', ...lines] = paragraph.split('\n')
  const marks = lines.flatMap((line): [string, string][] => {
    const [, name, value] = /^trusted\.overlay\.([a-z]+)(?:="?(.*?)"?)?$/s.exec(line) ?? []
    return name === undefined ? [] : [[name, unescape(value ?? '')]]
  })
  return { path: unescape(head.slice('# file: '.length)), marks: new Map(marks) }
}

function unescape(text: string): string {
  return text.replace(/\\([0-7]{3}|\\)/g, (_, code: string) =>
    code === '\\' ? '\\' : String.fromCharCode(Number.parseInt(code, 8)),
  )
}
