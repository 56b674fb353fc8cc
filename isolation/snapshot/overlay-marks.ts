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
 * The attributes by which overlayfs says something of a directory, for each of `directories` that has any, as they come;
 * by path from `upper`, bytes as latin1. What it keeps for itself (`origin`, `impure`, `uuid`, `upper`) is none of them.
 *
 * Node has no calls for extended attributes: `getfattr` asks for any number in one process. Needs CAP_SYS_ADMIN, or the
 * kernel hides `trusted.*`.
 *
 * @param directories paths from `upper`, each ended by a NUL
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

/** @param dump what `getfattr --dump` writes, in pieces: odd bytes of names and values are three octal digits */
export async function* marksIn(dump: AsyncIterable<string>): AsyncGenerator<MarkedDirectory> {
  let rest = ''
  for await (const piece of dump) {
    const paragraphs = (rest + piece).split('\n\n')
    rest = paragraphs.pop() ?? ''
    for (const paragraph of paragraphs) yield parse(paragraph)
  }
  if (rest !== '') yield parse(rest)
}

function parse(paragraph: string): MarkedDirectory {
  const [head = '', ...lines] = paragraph.split('\n')
  const marks = lines.flatMap((line): [string, string][] => {
    const [, name, value] = /^trusted\.overlay\.([a-z]+)(?:="?(.*?)"?)?$/s.exec(line) ?? []
    return name === undefined ? [] : [[name, plain(value ?? '')]]
  })
  return { path: plain(head.slice('# file: '.length)), marks: new Map(marks) }
}

function plain(text: string): string {
  return text.replace(/\\([0-7]{3}|\\)/g, (_, code: string) =>
    code === '\\' ? '\\' : String.fromCharCode(Number.parseInt(code, 8)),
  )
}
