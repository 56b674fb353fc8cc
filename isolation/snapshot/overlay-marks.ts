import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Fault } from '../../base/errors.js'
import { type FilterEnd, throughProcess } from '../archive/filter-process.js'
import type { OverlayMarks } from './overlay-entry.js'

const PATTERN = '^trusted\\.overlay\\.(opaque|redirect|metacopy)$'

/**
 * The attributes by which overlayfs says something of a directory, for each of `directories` that has any; by path from
 * `upper`, bytes as latin1. What it keeps for itself (`origin`, `impure`, `uuid`, `upper`) is none of them.
 *
 * Node has no calls for extended attributes: `getfattr` asks for any number in one process. Needs CAP_SYS_ADMIN, or the
 * kernel hides `trusted.*`.
 *
 * @param directories paths from `upper`, each ended by a NUL
 */
export async function readOverlayMarks(
  upper: string,
  directories: Readable,
  signal?: AbortSignal,
): Promise<Map<string, OverlayMarks>> {
  const getfattr = ['getfattr', '-h', '-d', '-m', PATTERN, '--']
  const dump = throughProcess(
    directories,
    ['env', `--chdir=${upper}`, 'LC_ALL=C', 'xargs', '--null', '--no-run-if-empty', ...getfattr],
    { judge, ...(signal ? { signal } : {}) },
  )
  return parseDump(await text(dump.setEncoding('latin1')))
}

function judge({ exitCode, stderr }: FilterEnd): Fault | undefined {
  if (exitCode === 0) return undefined
  return new Fault(
    'attributes-unreadable',
    `The attributes of what the container changed could not be read: ${stderr || 'getfattr was killed'}.`,
  )
}

/** The format of `getfattr --dump`: odd bytes of names and values as three octal digits. */
export function parseDump(dump: string): Map<string, OverlayMarks> {
  const all = new Map<string, OverlayMarks>()
  for (const paragraph of dump.split('\n\n')) {
    const [head = '', ...lines] = paragraph.split('\n')
    if (!head.startsWith('# file: ')) continue
    const marks = lines.flatMap((line): [string, string][] => {
      const [, name, value] = /^trusted\.overlay\.([a-z]+)(?:="?(.*?)"?)?$/s.exec(line) ?? []
      return name === undefined ? [] : [[name, plain(value ?? '')]]
    })
    all.set(plain(head.slice('# file: '.length)), new Map(marks))
  }
  return all
}

function plain(text: string): string {
  return text.replace(/\\([0-7]{3}|\\)/g, (_, code: string) =>
    code === '\\' ? '\\' : String.fromCharCode(Number.parseInt(code, 8)),
  )
}
