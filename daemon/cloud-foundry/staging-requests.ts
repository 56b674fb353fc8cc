import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { messageOf, StagerdError } from '../../base/errors.js'
import { Deferred } from '../../base/deferred.js'
import { orAborted } from '../../base/or-aborted.js'
import type { Seal } from '../secrets/seal.js'
import type { Task, TaskRepository } from '../store/task-repository.js'
import type { BusMessage, MessageBus } from './message-bus.js'
import { publishAnswer } from './publish-answer.js'
import { parseStagingRequest, type StagingRequest } from './staging-request.js'
import { TaskQueue } from './task-queue.js'
import type { TaskAnswer, TaskRunner } from './task-runner.js'

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

export interface StagingRequestsParts {
  readonly open: () => Promise<MessageBus>
  /** The name of a subject is that of its queue group, too. */
  readonly subjects: readonly string[]
  readonly maxTasks: number
  readonly tasks: TaskRepository
  readonly runner: Pick<TaskRunner, 'enter' | 'run' | 'settle'>
  readonly seal: Pick<Seal, 'open' | 'close'>
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
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
 *
 * LIFECYCLE: `start` once: it connects, and goes on with the tasks of an earlier process, in the background. `drain` takes no
 * more requests, and resolves when nothing is under way; what waits is left to the next start. `stop` ends what is under
 * way, in any state, and is idempotent.
 */
export class StagingRequests {
  readonly #parts: StagingRequestsParts
  readonly #retryMs: number
  readonly #stop = new AbortController()
  readonly #queue: TaskQueue
  readonly #active = new Set<Promise<void>>()
  readonly #arrived: Arrived[] = []
  /** Records that are being made. */
  readonly #recording = new Set<Promise<void>>()
  #bus: MessageBus | undefined
  /** Until there is a connection. */
  #fault: string | undefined = 'NATS has not answered yet.'
  readonly #connected = new Deferred<undefined>()
  #started: Promise<void> | undefined
  #isDraining = false

  constructor(parts: StagingRequestsParts) {
    this.#parts = parts
    this.#retryMs = parts.retryMs ?? 5000
    this.#queue = new TaskQueue({
      requestOf: (task) => this.#requestOf(task),
      enter: (task, request, signal) => parts.runner.enter(task, request, signal),
      signal: this.#stop.signal,
      logger: parts.logger,
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
    return { fault, active: this.#active.size, waiting: this.#queue.length }
  }

  async drain(): Promise<void> {
    this.#isDraining = true
    await this.#bus?.drain()
    await Promise.all(this.#recording)
    while (this.#active.size > 0) await Promise.all(this.#active)
  }

  async stop(): Promise<void> {
    this.#isDraining = true
    this.#stop.abort()
    await this.#started
    await this.#bus?.drain()
    await Promise.all([...this.#recording, ...this.#active])
    await this.#queue.idle()
    await this.#bus?.close()
  }

  async #start(): Promise<void> {
    const { open, subjects, tasks, logger } = this.#parts
    const interrupted = await this.#untilDone('read the tasks', () => tasks.all())
    for (const task of interrupted) this.#queue.push(task)
    if (interrupted.length > 0)
      logger.info({ tasks: interrupted.length }, 'interrupted tasks of Cloud Foundry continue')
    // Their time runs, also where NATS is away.
    this.#next()
    const bus = await this.#untilDone('connect to NATS', async () => {
      const opened = await open().catch((error: unknown) => {
        this.#fault = messageOf(error)
        throw error
      })
      // Nobody waits for it any more.
      if (this.#stop.signal.aborted) await opened.close()
      return opened
    })
    this.#bus = bus
    this.#connected.resolve(undefined)
    // A drain may have come while it connected.
    if (this.#isDraining) return
    for (const subject of subjects) bus.subscribe(subject, subject, (message) => this.#receive(message))
    await this.#untilDone('subscribe', () => bus.ready())
    for (const subject of subjects) logger.info({ subject }, `Subscribed to ${subject}`)
    this.#next()
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
      if (made.length > 0) await tasks.record(made)
      for (const { task, at } of requests) {
        const unrecordedMs = task && performance.now() - at
        received?.({ result: resultOf(task), unrecordedMs })
        if (!task || unrecordedMs === undefined) continue
        logger.info(
          { task: task.id, unrecordedMs: Math.round(unrecordedMs * 10) / 10 },
          'a staging request is recorded',
        )
        this.#queue.push(task)
      }
      this.#next()
    } catch (error) {
      for (let count = 0; count < arrived.length; count++) received?.({ result: 'lost', unrecordedMs: undefined })
      logger.error({ err: error, requests: arrived.length }, 'staging requests could not be recorded')
    }
  }

  /** Undefined for what is no JSON. */
  #taskOf({ data, reply }: BusMessage): Task | undefined {
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
    const request = this.#parts.seal.close(data, placeOf(id))
    const rest = { receivedAt: new Date().toISOString(), begunAt: undefined, uploading: false, log: '' }
    return { id, request, reply, answer, ...rest }
  }

  #next(): void {
    while (!this.#isDraining && this.#active.size < this.#parts.maxTasks) {
      const task = this.#queue.shift()
      if (!task) return
      const done = this.#do(task)
        .catch((error: unknown) => {
          if (!this.#stop.signal.aborted)
            this.#parts.logger.error({ err: error, task: task.id }, 'a task of Cloud Foundry is left to the next start')
        })
        .finally(() => {
          this.#active.delete(done)
          this.#queue.ended(task)
          this.#next()
        })
      this.#active.add(done)
    }
  }

  async #do(task: Task): Promise<void> {
    const { tasks, runner } = this.#parts
    let { answer } = task
    if (answer === undefined) {
      answer = JSON.stringify(await this.#answerOf(task))
      const known = answer
      await this.#untilDone('record an answer', () => tasks.answer(task.id, known))
    }
    const settled = JSON.parse(answer) as TaskAnswer
    await this.#untilDone('end a staging', () => runner.settle(task.id, settled))
    const { reply } = task
    const text = Buffer.from(answer)
    if (reply !== undefined) {
      await orAborted(this.#connected.promise, this.#stop.signal)
      await this.#untilDone('send an answer', () => this.#send(reply, text))
      const sinceMs = Date.now() - Date.parse(task.receivedAt)
      this.#parts.logger.info({ task: task.id, error: settled.error, sinceMs }, 'a staging request is answered')
    }
    await this.#untilDone('record that an answer was sent', () => tasks.remove(task.id))
  }

  async #answerOf(task: Task): Promise<object> {
    try {
      const request = this.#requestOf(task)
      if (request) return await this.#parts.runner.run(task, request, this.#stop.signal)
      throw new Error('a recorded request is no JSON')
    } catch (error) {
      this.#stop.signal.throwIfAborted()
      return { task_id: task.id, task_log: task.log, error: this.#failed(error, task.id) }
    }
  }

  #requestOf(task: Task): StagingRequest | undefined {
    return parseStagingRequest(this.#parts.seal.open(task.request, placeOf(task.id)))
  }

  /** What the requester is told of a fault of this daemon. */
  #failed(error: unknown, task: string): string {
    this.#parts.logger.error({ err: error, task }, 'a task of Cloud Foundry has failed')
    return 'stagerd has failed: its log says why.'
  }

  async #send(reply: string, answer: Buffer): Promise<void> {
    if (!this.#bus) throw new Error('there is no connection')
    await publishAnswer(this.#bus, reply, answer, this.#parts.logger)
  }

  /** Tries until it succeeds. Throws when this is stopped. */
  async #untilDone<T>(what: string, work: () => Promise<T>): Promise<T> {
    for (let hasFailed = false; ;) {
      this.#stop.signal.throwIfAborted()
      try {
        return await orAborted(work(), this.#stop.signal)
      } catch (error) {
        this.#stop.signal.throwIfAborted()
        if (!hasFailed) this.#parts.logger.warn({ why: messageOf(error) }, `cannot ${what}; stagerd tries again`)
        hasFailed = true
      }
      await delay(this.#retryMs, undefined, { signal: this.#stop.signal })
    }
  }
}

function resultOf(task: Task | undefined): RequestResult {
  if (!task) return 'malformed'
  return task.answer === undefined ? 'accepted' : 'refused'
}

function placeOf(task: string): string {
  return `staging request ${task}`
}
