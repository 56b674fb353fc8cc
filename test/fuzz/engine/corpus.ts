import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FuzzTarget } from '../fuzz-target.js'

/** Inputs with a name that begins so once made a target fail. They stay, whatever they reach. */
const FOUND = 'found-'

/** What only longer inputs reach, such as a limit, is left to the fuzzer: the repository stays small. */
const LONGEST_KEPT = 6 * 1024

export interface CorpusInput {
  readonly name: string
  readonly bytes: Buffer
}

/** The inputs of a target that are kept in the repository, one a file, in the order of their names. */
export function readCorpus(directory: string, { name }: FuzzTarget): CorpusInput[] {
  const files = listed(join(directory, name))
  return files.map((file) => ({ name: file, bytes: readFileSync(join(directory, name, file)) }))
}

/** Replaces the inputs of a target, except those that were found. Long ones are left out. */
export function writeCorpus(directory: string, { name }: FuzzTarget, all: readonly Buffer[]): void {
  const inputs = all.filter(({ length }) => length <= LONGEST_KEPT)
  const own = join(directory, name)
  mkdirSync(own, { recursive: true })
  const names = new Set(inputs.map(nameOf))
  for (const file of listed(own)) if (!file.startsWith(FOUND) && !names.has(file)) rmSync(join(own, file))
  for (const bytes of inputs) writeFileSync(join(own, nameOf(bytes)), bytes)
}

export function isFound({ name }: CorpusInput): boolean {
  return name.startsWith(FOUND)
}

/** Writes an input that fails, and returns its file. */
export function writeFailure(directory: string, { name }: FuzzTarget, bytes: Buffer): string {
  mkdirSync(directory, { recursive: true })
  const file = join(directory, `${name}-${nameOf(bytes)}`)
  writeFileSync(file, bytes)
  return file
}

function nameOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 12)
}

function listed(directory: string): string[] {
  try {
    return readdirSync(directory).sort()
  } catch {
    return []
  }
}
