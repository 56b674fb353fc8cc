import { randomUUID } from 'node:crypto'
import { messageOf, StagerdError } from '../../base/errors.js'
import { Deferred } from '../../base/deferred.js'
import type { Seal } from '../secrets/seal.js'
import type { NewTask, Task } from '../store/task-repository.js'
import type { BusMessage, MessageBus } from './message-bus.js'
import { publishAnswer } from './publish-answer.js'
import { parseStagingRequest, type StagingRequest } from './staging-request.js'
import { TaskWorker, type TaskWorkerParts } from './task-worker.js'
import { untilDone } from './until-done.js'

export type RequestResult = 'accepted' | 'refused' | 'malformed' | 'lost'

/** A request that was received. */
export interface Received {
  readonly result: RequestResult
  /** How long it could have been lost here: from its arrival until it was recorded. Undefined if it was not recorded. */
  readonly unrecordedMs: number | undefined
}

export interface RequestsStatus {
  /** Why no requests come at present, in one sentence. Undefined if they come. */
  readonly fault: string | undefined
  /** Tasks that are under way, and those that wait for one of them. */
  readonly active: number
  readonly waiting: number
}

interface Arrived {
  readonly message: BusMessage
  readonly at: number
}

export interface StagingRequestsParts extends Omit<TaskWorkerParts, 'requestOf' | 'send' | 'failed' | 'retryMs'> {
  readonly open: () => Promise<MessageBus>
  /** The name of a subject is that of its queue group, too. */
  readonly subjects: readonly string[]
  readonly seal: Pick<Seal, 'open' | 'close'>
  /** For metrics. */
  readonly received?: (one: Received) => void
  /** Between attempts to connect, to send an answer, and to do a task that the store has kept from its end. */
  readonly retryMs?: number
}

/**
 * The older staging service of Cloud Foundry: requests on a message bus, each answered there.
 *
 * PROMISES
 * - A request that is recorded is answered at least once, with the same `task_id` each time. It is answered again only if
 *   the daemon ends between the two: the answer is taken by the server, and that is recorded.
 * - A request that has arrived and is not recorded is lost when the daemon ends. Nothing else is done in between, and one
 *   that cannot be recorded is not answered, so the limit of the requester's time covers it.
 * - At most `maxTasks` are under way; others wait in the order of their receipt, with a staging that is queued.
 * - Of nodes that share the database, the one that has recorded a request answers it, or whoever claims it when the term of that one has
 *   ended (`TaskWorker`).
 *
 * LIFECYCLE: `start` once: it connects in the background. `look` has it do what nobody has, such as the tasks of an earlier process. `drain`
 * takes no more requests, and resolves when nothing is under way; what waits is left to the next start, or to other nodes. `stop` ends what
 * is under way, in any state, and is idempotent.
 */
export class StagingRequests {
  readonly #parts: StagingRequestsParts
  readonly #retryMs: number
  readonly #stop = new AbortController()
  readonly #worker: TaskWorker
  readonly #arrived: Arrived[] = []
  /** Records that are being made. */
  readonly #recording = new Set<Promise<void>>()
  #bus: MessageBus | undefined
  /** Until there is a connection. */
  #fault: string | undefined = 'NATS has not answered yet.'
  readonly #connected = new Deferred<MessageBus>()
  #started: Promise<void> | undefined
  #isDraining = false

  constructor(parts: StagingRequestsParts) {
    this.#parts = parts
    this.#retryMs = parts.retryMs ?? 5000
    this.#worker = new TaskWorker({
      ...parts,
      retryMs: this.#retryMs,
      requestOf: (task) => this.#requestOf(task),
      send: async (reply, answer) => await publishAnswer(await this.#connected.promise, reply, answer, parts.logger),
      failed: (error, task) => this.#failed(error, task),
    })
  }

  start(): void {
    this.#started = this.#start().catch((error: unknown) => {
      if (!this.#stop.signal.aborted)
        this.#parts.logger.error({ err: error }, 'staging requests of Cloud Foundry cannot be taken')
    })
  }

  get status(): RequestsStatus {
    const fault = this.#bus ? this.#bus.fault : this.#fault
    const { active, waiting } = this.#worker
    return { fault, active, waiting }
  }

  /** To be called when this node has begun a term, and when there may be requests that no node has. */
  look(): void {
    this.#worker.look()
  }

  async drain(): Promise<void> {
    this.#isDraining = true
    this.#worker.hold()
    await this.#bus?.drain()
    await Promise.all(this.#recording)
    await this.#worker.drain()
  }

  async stop(): Promise<void> {
    this.#isDraining = true
    this.#stop.abort()
    const stopped = this.#worker.stop()
    await this.#started
    await this.#bus?.drain()
    await Promise.all(this.#recording)
    await stopped
    // What was recorded meanwhile is left, too.
    await this.#worker.stop()
    await this.#bus?.close()
  }

  async #start(): Promise<void> {
    const { open, subjects, logger } = this.#parts
    const attempts = { logger, retryMs: this.#retryMs }
    const { signal } = this.#stop
    const connect = async () => {
      const opened = await open().catch((error: unknown) => {
        this.#fault = messageOf(error)
        throw error
      })
      // Nobody waits for it any more.
      if (this.#stop.signal.aborted) await opened.close()
      return opened
    }
    const bus = (this.#bus = await untilDone('connect to NATS', connect, signal, attempts))
    this.#connected.resolve(bus)
    // A drain may have come while it connected.
    if (this.#isDraining) return
    for (const subject of subjects) bus.subscribe(subject, subject, (message) => this.#receive(message))
    await untilDone('subscribe', () => bus.ready(), signal, attempts)
    for (const subject of subjects) logger.info({ subject }, `Subscribed to ${subject}`)
  }

  #receive(message: BusMessage): void {
    this.#arrived.push({ message, at: performance.now() })
    if (this.#arrived.length > 1) return
    // What the server has sent together is recorded together: a hundred transactions would let the last wait for all others.
    const recorded = new Promise((resolve) => setImmediate(resolve))
      .then(() => this.#record(this.#arrived.splice(0)))
      .finally(() => this.#recording.delete(recorded))
    this.#recording.add(recorded)
  }

  /** Never rejects. */
  async #record(arrived: readonly Arrived[]): Promise<void> {
    const { tasks, logger, received } = this.#parts
    try {
      const requests = arrived.map((one) => ({ ...one, task: this.#taskOf(one.message) }))
      const made = requests.flatMap(({ task }) => task ?? [])
      const recorded = made.length > 0 ? await tasks.record(made, this.#worker.term) : []
      for (const { task, at } of requests) {
        const unrecordedMs = task && performance.now() - at
        received?.({ result: resultOf(task), unrecordedMs })
        if (!task || unrecordedMs === undefined) continue
        logger.info(
          { task: task.id, unrecordedMs: Math.round(unrecordedMs * 10) / 10 },
          'a staging request is recorded',
        )
      }
      this.#worker.add(recorded)
    } catch (error) {
      for (let count = 0; count < arrived.length; count++) received?.({ result: 'lost', unrecordedMs: undefined })
      logger.error({ err: error, requests: arrived.length }, 'staging requests could not be recorded')
      // Or they were, and the answer of the database was lost.
      this.#worker.lookLater()
    }
  }

  /** Undefined for what is no JSON. */
  #taskOf({ data, reply }: BusMessage): NewTask | undefined {
    const id = randomUUID().replaceAll('-', '')
    let answer: string | undefined
    try {
      if (!parseStagingRequest(data)) {
        this.#parts.logger.warn({ bytes: data.length }, 'a staging request is no JSON, and gets no answer')
        return undefined
      }
    } catch (error) {
      answer = JSON.stringify({
        task_id: id,
        task_log: '',
        error: error instanceof StagerdError ? error.message : this.#failed(error, id),
      })
    }
    return { id, request: this.#parts.seal.close(data, placeOf(id)), reply, answer }
  }

  #requestOf(task: Task): StagingRequest | undefined {
    return parseStagingRequest(this.#parts.seal.open(task.request, placeOf(task.id)))
  }

  /** What the requester is told of a fault of this daemon. */
  #failed(error: unknown, task: string): string {
    this.#parts.logger.error({ err: error, task }, 'a task of Cloud Foundry has failed')
    return 'stagerd has failed: its log says why.'
  }
}

function resultOf(task: NewTask | undefined): RequestResult {
  if (!task) return 'malformed'
  return task.answer === undefined ? 'accepted' : 'refused'
}

function placeOf(task: string): string {
  return `staging request ${task}`
}
