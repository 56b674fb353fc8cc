import { pino } from 'pino'
import { expect, it } from 'vitest'
import { journalStream } from '../../../daemon/log/journal-stream.js'

it('the journal gets the priority of each line before it', () => {
  const lines: string[] = []
  const logger = pino(
    { level: 'debug', base: null, timestamp: false },
    journalStream({ write: (line) => lines.push(line) }),
  )
  logger.info('started')
  logger.error('failed')
  logger.debug('step')
  logger.warn('late')
  expect(lines.map((line) => line.slice(0, 3))).toEqual(['<6>', '<3>', '<7>', '<4>'])
  expect(lines[1]).toBe('<3>{"level":50,"msg":"failed"}\n')
})
