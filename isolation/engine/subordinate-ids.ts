import { readFile } from 'node:fs/promises'
import { errnoOf } from '../../base/errors.js'
import { IdMap, type IdRange } from '../archive/id-map.js'

/** The files in which a host grants ranges of ids to accounts: subuid(5). */
export interface SubordinateIdFiles {
  readonly uids: string
  readonly gids: string
}

export const SUBORDINATE_ID_FILES: SubordinateIdFiles = { uids: '/etc/subuid', gids: '/etc/subgid' }

/** The length of a range as useradd(8) grants it. */
const USUAL_LENGTH = 65_536

/**
 * The map that an Engine makes of the ranges of its account: one after the other, in the order of the file. The API does
 * not tell the account, but it does tell where its first range begins.
 *
 * It is a guess, because accounts can also be in a directory service, or the file can have changed since the Engine was
 * started. Where no account has such a range, it is one of the usual length.
 */
export async function guessMap(file: string, root: number): Promise<IdMap> {
  for (const ranges of (await rangesByAccount(file)).values()) {
    if (ranges[0]?.outside !== root) continue
    let inside = 0
    const map: IdRange[] = []
    for (const { outside, length } of ranges) {
      map.push({ inside, outside, length })
      inside += length
    }
    return new IdMap(map)
  }
  return new IdMap([{ inside: 0, outside: root, length: USUAL_LENGTH }])
}

/** Skips what is not `ACCOUNT:FIRST:LENGTH`. */
async function rangesByAccount(file: string): Promise<Map<string, Omit<IdRange, 'inside'>[]>> {
  const found = new Map<string, Omit<IdRange, 'inside'>[]>()
  for (const line of (await readOrEmpty(file)).split('\n')) {
    const [, account, first, length] = /^([^#:]+):(\d+):(\d+)$/.exec(line.trim()) ?? []
    if (account === undefined || Number(length) === 0) continue
    const ranges = found.get(account) ?? []
    ranges.push({ outside: Number(first), length: Number(length) })
    found.set(account, ranges)
  }
  return found
}

async function readOrEmpty(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return ''
    throw error
  }
}
