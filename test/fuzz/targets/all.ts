import type { FuzzTarget } from '../fuzz-target.js'

/**
 * Every parser that reads bytes of somebody else, by files: a thread that fuzzes one of them loads only its file, because
 * the time that V8 takes for the coverage grows with the code that is there.
 */
const FILES: Readonly<Record<string, () => Promise<readonly FuzzTarget[]>>> = {
  archives: async () => (await import('./archives.js')).ARCHIVES,
  zips: async () => (await import('./zips.js')).ZIPS,
  documents: async () => (await import('./documents.js')).DOCUMENTS,
  words: async () => (await import('./words.js')).WORDS,
  requests: async () => (await import('./requests.js')).REQUESTS,
  output: async () => (await import('./output.js')).OUTPUT,
  host: async () => (await import('./host.js')).HOST,
}

/** A target, and where it is. */
export interface ListedTarget {
  readonly file: string
  readonly target: FuzzTarget
}

export async function allTargets(): Promise<ListedTarget[]> {
  const listed = Object.entries(FILES).map(async ([file, load]) => (await load()).map((target) => ({ file, target })))
  return (await Promise.all(listed)).flat()
}

export async function targetOf(file: string, name: string): Promise<FuzzTarget> {
  const found = (await FILES[file]?.())?.find((target) => target.name === name)
  if (!found) throw new Error(`There is no target ${name} in ${file}.`)
  return found
}
