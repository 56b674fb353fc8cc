/** What pino writes to. It tells the level of a line before it. */
interface Destination {
  write(line: string): void
}

/** syslog(3) numbers of the levels of pino. */
const PRIORITIES: Readonly<Record<number, number>> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 }

/**
 * Puts the priority of each line before it, as sd-daemon(3) describes: the journal takes it off and keeps it as PRIORITY, so
 * that `journalctl -p warning` finds what it should.
 */
export class JournalStream implements Destination {
  /** pino sets `lastLevel` on a stream with this property. */
  readonly [Symbol.for('pino.metadata') as never] = true
  readonly lastLevel: number = 30
  readonly #to: Destination

  constructor(to: Destination) {
    this.#to = to
  }

  write(line: string): void {
    this.#to.write(`<${PRIORITIES[this.lastLevel] ?? 6}>${line}`)
  }
}
