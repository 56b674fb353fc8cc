import type { Logger } from 'pino'
import { quote } from '../../base/fqn.js'
import type { Verdict } from '../model/staging.js'
import { downloadData, uploadData } from './data-operations.js'
import type { HttpSession } from './http-session.js'
import { alterMetadata, readMetadata } from './metadata-operations.js'
import { takeSnapshot } from './snapshot-operation.js'
import { assertAddresses } from './stager-address.js'
import { answerTo, StagerRefusal, type StagerAnswer } from './stager-answer.js'
import type { StagerRequest } from './stager-request.js'
import { recordVerdict } from './verdict-operation.js'

/**
 * The life of one request:
 *
 * 1. Arrival. The headers are there. The listener makes a `StagerRequest` with a ticket of `ArrivalOrder`, and calls
 *    `route`.
 * 2. Checks. The address must name this launch, the launch must still take requests, and `OPERATIONS` must have the
 *    operation and the method.
 * 3. Body. The operation reads it, if it has one. A client that waits for `100 Continue` gets it now.
 * 4. Order. The operation waits for its turn and calls the handler of the launch. An upload opens its body only then.
 * 5. Answer. The operation answers with success or throws. `route` turns what it throws into a refusal.
 * 6. End. `route` releases the ticket. The signal of the request is aborted when its response is closed.
 */

type Run = (request: StagerRequest, session: HttpSession) => Promise<void>

interface Operation {
  /** By HTTP method. `GET` only reads; all other methods are put in order as changes. */
  readonly methods: Readonly<Record<string, Run>>
  /** Methods that old clients use. They work, but no message mentions them. */
  readonly legacyMethods?: Readonly<Record<string, Run>>
}

/** By the part of the path that follows the UUID. */
const OPERATIONS = {
  data: { methods: { GET: downloadData, POST: uploadData } },
  meta: { methods: { GET: readMetadata, PUT: alterMetadata }, legacyMethods: { POST: alterMetadata } },
  snapshot: { methods: { POST: takeSnapshot } },
  done: { methods: { POST: recordVerdict('done') } },
  failed: { methods: { POST: recordVerdict('failed') } },
  relaunch: { methods: { POST: recordVerdict('relaunch') } },
} satisfies Record<string, Operation> & Record<Verdict, Operation>

/** Handle one request from its arrival to its answer. Never rejects. */
export async function route(
  request: StagerRequest,
  session: HttpSession,
  logger: Pick<Logger, 'error'>,
): Promise<void> {
  try {
    const run = select(request, session)
    await run(request, session)
  } catch (error) {
    const answer = answerTo(error)
    if (answer.ours && !request.signal.aborted)
      logger.error(
        {
          err: error,
          launch: session.handler.launch,
          method: request.raw.method,
          operation: request.address.operation,
        },
        'the request of a stager failed on our side',
      )
    tell(request, session, answer)
    request.refuse(answer.status, answer.text)
  } finally {
    request.ticket.release()
  }
}

/** Before the answer is sent, so that the line comes before what the stager prints about it. */
function tell({ asked, raw, response, signal }: StagerRequest, session: HttpSession, answer: StagerAnswer): void {
  // The client has gone: nothing is answered.
  if (signal.aborted || raw.socket.destroyed) return
  if (response.headersSent) session.refusals.brokenOff(asked, answer.text)
  else session.refusals.answered(asked, answer.status, answer.text)
}

function select({ address, raw }: StagerRequest, session: HttpSession): Run {
  const { method = '' } = raw
  assertAddresses(address, session.handler.launch, (segment) => operationNamed(segment) !== undefined)
  const repeatsVerdict = method === 'POST' && address.operation === session.recorded
  if (!repeatsVerdict) session.assertCurrent()
  const operation = operationNamed(address.operation)
  if (!operation) throw unknownOperation(address.operation)
  const run = operation.methods[method] ?? operation.legacyMethods?.[method]
  if (!run)
    throw new StagerRefusal(
      499,
      `${method} is not a method of ${address.operation}: use ${Object.keys(operation.methods).join(' or ')}.`,
    )
  return run
}

/** Own properties alone: a client may ask for `__proto__`. */
function operationNamed(name: string): Operation | undefined {
  return Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name as keyof typeof OPERATIONS] : undefined
}

function unknownOperation(name: string): StagerRefusal {
  const what = name === '' ? 'The request names no operation' : `${quote(name)} is not an operation`
  return new StagerRefusal(499, `${what}: the operations are ${Object.keys(OPERATIONS).join(', ')}.`)
}
