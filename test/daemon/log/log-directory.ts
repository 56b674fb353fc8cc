import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { parseLine, type LogLine, type StoredLine } from '../../../daemon/log/log-file.js'

/** A directory of logs for each test. */
export function useLogDirectory(): () => string {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'stagerd-log-'))
  })
  afterEach(() => rm(directory, { recursive: true }))
  return () => directory
}

/** `1 text` for each line. */
export async function textsOf(lines: AsyncIterable<Pick<LogLine, 'seq' | 'text'>>): Promise<string[]> {
  const texts: string[] = []
  for await (const { seq, text } of lines) texts.push(`${seq} ${text}`)
  return texts
}

/** The lines of all pieces. */
export async function* parsed(pieces: AsyncIterable<readonly StoredLine[]>): AsyncGenerator<LogLine> {
  for await (const lines of pieces) for (const line of lines) yield parseLine(line)
}
