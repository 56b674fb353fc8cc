/** What pino writes to. It sets `lastLevel` before each line. */
export interface LeveledStream {
  lastLevel: number
  write(line: string): void
}

/** syslog(3) numbers of the levels of pino. */
const PRIORITIES: Readonly<Record<number, number>> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 }

/**
 * Puts the priority of each line before it, as sd-daemon(3) describes: the journal takes it off and keeps it as PRIORITY, so
 * that `journalctl -p warning` finds what it should.
 */
export function journalStream(to: { write(line: string): unknown }): LeveledStream {
  const stream = {
    lastLevel: 30,
    write: (line: string) => void to.write(`<${PRIORITIES[stream.lastLevel] ?? 6}>${line}`),
  }
  return Object.assign(stream, { [Symbol.for('pino.metadata')]: true })
}
