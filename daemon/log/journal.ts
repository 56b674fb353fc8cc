import { fstatSync, writeSync } from 'node:fs'
import { pino, stdSerializers, type Logger, type LoggerOptions } from 'pino'
import { journalEntry } from './journal-entry.js'
import { priorityOf } from './priority.js'

type Environment = Readonly<Record<string, string | undefined>>

/** Whether what is written to this descriptor goes to the journal: systemd names the device and the inode of its stream. */
export function isJournal(descriptor: number, { JOURNAL_STREAM: stream }: Environment): boolean {
  if (stream === undefined) return false
  const { dev, ino } = fstatSync(descriptor)
  return stream === `${dev}:${ino}`
}

/** Sends an entry to the journal at once, or throws. */
export type SendEntry = (entry: Buffer) => void

/**
 * Undefined if bin/stagerd could not open the socket for entries of the journal. Node cannot: it has no Unix sockets for
 * datagrams. But what it writes to one that is open is sent.
 */
export function journalSocket({ STAGERD_JOURNAL_FD: descriptor }: Environment): SendEntry | undefined {
  if (descriptor === undefined) return undefined
  return (entry) => {
    const sent = writeSync(Number(descriptor), entry)
    if (sent < entry.length) throw new Error(`Only ${sent} of the ${entry.length} bytes of an entry were sent.`)
  }
}

/**
 * Each line becomes an entry with fields of its own. One that cannot be sent, because it is too long or the journal has
 * fallen behind, is written to `to`, the stream of the journal, which waits and has no limit. Before it stands its priority, as
 * sd-daemon(3) describes: the journal takes it off and keeps it as PRIORITY.
 */
export function journalLogger(options: LoggerOptions, to: { write(line: string): unknown }, send?: SendEntry): Logger {
  const stream = {
    // pino sets it before each line.
    lastLevel: 30,
    write: (line: string) => {
      try {
        if (!send) throw new Error('There is no socket for entries.')
        send(journalEntry(line))
      } catch {
        to.write(`<${priorityOf(stream.lastLevel)}>${line}`)
      }
    },
    [Symbol.for('pino.metadata')]: true,
  }
  return pino({ ...options, serializers: { err: stdSerializers.errWithCause } }, stream)
}
