import { describe, expect, it } from 'vitest'
import { Unavailable } from '../../../base/errors.js'
import { isJournal, journalLogger, type SendEntry } from '../../../daemon/log/journal.js'

/** A logger, with the entries that it has sent and the lines that it has written. */
function logging(send?: SendEntry) {
  const entries: Record<string, string>[] = []
  const lines: string[] = []
  const to = { write: (line: string) => lines.push(line) }
  const logger = journalLogger({ level: 'debug' }, to, send ?? ((entry) => entries.push(decode(entry))))
  return { logger, entries, lines }
}

/** As journald reads the native protocol. */
function decode(entry: Buffer): Record<string, string> {
  const fields: Record<string, string> = {}
  for (let at = 0; at < entry.length;) {
    const end = entry.indexOf('\n', at)
    const [, name = '', value] = /^([^=]*)(?:=(.*))?$/.exec(entry.toString('utf8', at, end)) ?? []
    at = end + 1
    if (value !== undefined) fields[name] = value
    else {
      const length = Number(entry.readBigUInt64LE(at))
      fields[name] = entry.toString('utf8', at + 8, at + 8 + length)
      expect(entry[at + 8 + length]).toBe(0x0a)
      at += 8 + length + 1
    }
  }
  return fields
}

describe('an entry of the journal', () => {
  it('has the level, and what it is about, in fields of its own', () => {
    const { logger, entries, lines } = logging()
    logger.info({ staging: 's1', settings: { concurrency: 4, 'log-level': 'info', none: undefined } }, 'starting')
    logger.debug('step')
    logger.warn({ removed: ['a b', 'c'] }, 'late')
    expect(entries).toEqual([
      {
        MESSAGE: 'starting staging=s1 settings.concurrency=4 settings.log-level=info',
        PRIORITY: '6',
        SYSLOG_IDENTIFIER: 'stagerd',
        STAGERD_STAGING: 's1',
        STAGERD_SETTINGS_CONCURRENCY: '4',
        STAGERD_SETTINGS_LOG_LEVEL: 'info',
      },
      { MESSAGE: 'step', PRIORITY: '7', SYSLOG_IDENTIFIER: 'stagerd' },
      {
        MESSAGE: 'late removed="[\\"a b\\",\\"c\\"]"',
        PRIORITY: '4',
        SYSLOG_IDENTIFIER: 'stagerd',
        STAGERD_REMOVED: '["a b","c"]',
      },
    ])
    expect(lines).toEqual([])
  })

  it('has the cause of an error, and all causes of that', () => {
    const { logger, entries } = logging()
    const cause = new Error('connect ENOENT')
    logger.error({ err: new Unavailable('engine-down', 'The Engine is down.', { cause }) }, 'no sweep')
    expect(entries[0]).toMatchObject({
      MESSAGE: 'no sweep: The Engine is down.',
      PRIORITY: '3',
      STAGERD_ERROR_TYPE: 'Unavailable',
      STAGERD_ERROR_CODE: 'engine-down',
      STAGERD_ERROR_KIND: 'unavailable',
      STAGERD_ERROR_MESSAGE: 'The Engine is down.',
      STAGERD_ERROR_CAUSE_MESSAGE: 'connect ENOENT',
      STAGERD_ERROR_STACK: expect.stringMatching(/^Unavailable: The Engine is down\.\n/) as string,
    })
  })

  it('that cannot be sent is a line of the stream, with its priority before it', () => {
    const { logger, lines } = logging(() => {
      throw Object.assign(new Error('write EAGAIN'), { code: 'EAGAIN' })
    })
    logger.info('started')
    logger.error({ launch: 'l1' }, 'failed')
    expect(lines.map((line) => line.slice(0, 3))).toEqual(['<6>', '<3>'])
    expect(JSON.parse(lines[1]?.slice(3) ?? '')).toMatchObject({ level: 50, launch: 'l1', msg: 'failed' })
  })
})

it('output that was redirected does not go to the journal, although systemd has set its variable', () => {
  expect(isJournal(1, { JOURNAL_STREAM: '9:4128' })).toBe(false)
  expect(isJournal(1, {})).toBe(false)
})
