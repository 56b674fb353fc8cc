import { readFile } from 'node:fs/promises'
import { median, round } from './row.js'

/**
 * Reads the median duration of each step of these launches from the daemon's log, in milliseconds, in the order of
 * their ends.
 */
export async function stepTimes(log: string, launches: ReadonlySet<string>): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number[]>()
  for (const line of (await readFile(log, 'utf8')).split('\n')) {
    const entry = parse(line)
    if (entry?.step === undefined || entry.ms === undefined || !launches.has(entry.launch ?? '')) continue
    found.set(entry.step, [...(found.get(entry.step) ?? []), entry.ms])
  }
  return new Map([...found].map(([step, times]) => [step, round(median(times), 1)]))
}

function parse(line: string): { launch?: string; step?: string; ms?: number } | undefined {
  try {
    return JSON.parse(line) as { launch?: string; step?: string; ms?: number }
  } catch {
    return undefined
  }
}
