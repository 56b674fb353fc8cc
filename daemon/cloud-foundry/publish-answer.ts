import type { Logger } from 'pino'
import { StagerdError } from '../../base/errors.js'
import type { MessageBus } from './message-bus.js'
import type { TaskAnswer } from './task-runner.js'

/** What no repeat would mend: nobody can receive it. */
const NEVER = new Set(['bad-subject', 'message-too-large', 'bus-denied'])

/** Of an answer with the end of its log, at most: JSON takes up to six bytes for a character. */
const SHORTENED_BYTES = 256 * 1024

/**
 * Publishes the JSON of a `TaskAnswer`. One that is too large loses the begin of its log. One that nobody can receive is
 * dropped, and an error in the log: where NATS does not allow it, a task that waits for that would keep others waiting.
 *
 * Throws `Unavailable` (`bus-unreachable`).
 */
export async function publishAnswer(
  bus: Pick<MessageBus, 'publish'>,
  reply: string,
  answer: Buffer,
  logger: Pick<Logger, 'error'>,
): Promise<void> {
  try {
    await bus.publish(reply, answer)
  } catch (error) {
    if (!(error instanceof StagerdError) || !NEVER.has(error.code)) throw error
    if (error.code === 'message-too-large' && answer.length > SHORTENED_BYTES)
      await publishAnswer(bus, reply, shortened(answer), logger)
    else logger.error({ err: error }, 'an answer to a staging request cannot be sent')
  }
}

function shortened(answer: Buffer): Buffer {
  const document = JSON.parse(answer.toString()) as TaskAnswer
  const end = document.task_log.slice(-16 * 1024)
  return Buffer.from(
    JSON.stringify({
      ...document,
      task_log: end.slice(end.indexOf('\n') + 1),
      ...(document.error === undefined ? {} : { error: document.error.slice(0, 4096) }),
    }),
  )
}
