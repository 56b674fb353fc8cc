import type { Logger } from 'pino'
import type { DutyTerm } from '../store/duties.js'
import { isLeaseLost } from '../store/lease-lost.js'
import type { Task, TaskRepository } from '../store/task-repository.js'
import type { StagingRequest } from './staging-request.js'
import { TaskQueue } from './task-queue.js'
import type { TaskAnswer, TaskRunner } from './task-runner.js'
import { untilDone } from './until-done.js'

export interface TaskWorkerParts {
  readonly tasks: TaskRepository
  readonly runner: Pick<TaskRunner, 'enter' | 'run' | 'settle'>
  /** Undefined, or an error, for what is none. */
  readonly requestOf: (task: Task) => StagingRequest | undefined
  /** Resolves when the answer was sent, or never can be. It may wait for a connection. */
  readonly send: (reply: string, answer: Buffer) => Promise<void>
  /** What the requester is told of a fault of this daemon. */
  readonly failed: (error: unknown, task: string) => string
  /** That of this node now. Undefined if it has none. */
  readonly term: () => DutyTerm | undefined
  /** How many are under way at most. */
  readonly maxTasks: number
  /** Whether other nodes take what this one leaves. */
  readonly isShared: boolean
  /** To be called when there are tasks that nobody has. */
  readonly left: () => void
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly retryMs: number
}

/** How long one waits whose application is staged by somebody else. */
const BUSY_MS = 500

/**
 * Does the tasks that the term of this node has, and answers them.
 *
 * A task belongs to a term, as a running staging does (docs/decisions/0095-terms.md). When the term is lost, nothing of it goes on
 * here, and the next look of any node claims it, of this one too: it goes on with what is recorded.
 *
 * | state     | kept in                    | goes on as                                                                       |
 * | --------- | -------------------------- | -------------------------------------------------------------------------------- |
 * | nobody's  | the database alone         | waiting, when a look of a node that has a term claims it                         |
 * | waiting   | `#known`, `#queue`         | under way, when it is its turn; nobody's after `drain`                           |
 * | under way | `#known`, `#active`        | done; busy, while its application is staged by somebody else; nobody's after `stop` |
 * | busy      | `#known`, `#busy`: no place | waiting, after `BUSY_MS`                                                        |
 * | done      | nowhere                    | its row is removed                                                               |
 *
 * In each state, it is nobody's when the term is lost. `#known` still has it then, until the next term begins.
 *
 * LIFECYCLE: nothing is done before the first `look`. After `hold`, none is begun. `drain` leaves what waits, and resolves when nothing
 * is under way. `stop` ends what is under way and leaves it; it is idempotent, in any state.
 */
export class TaskWorker {
  readonly #parts: TaskWorkerParts
  readonly #stop = new AbortController()
  readonly #queue: TaskQueue
  readonly #active = new Map<Task, Promise<void>>()
  /** All that the term has and that are not done, by their ids. */
  readonly #known = new Map<string, Task>()
  /** Those that wait for another staging of their application. */
  readonly #busy = new Map<Task, NodeJS.Timeout>()
  /** The term that has all of these. */
  #term: DutyTerm | undefined
  /** Aborted when that is lost, or this is stopped. */
  #signal: AbortSignal = this.#stop.signal
  #looking: Promise<void> | undefined
  #again = false
  #retry: NodeJS.Timeout | undefined
  /** Whether there may be tasks that nobody has. */
  #hasMore = false
  #isHeld = false

  constructor(parts: TaskWorkerParts) {
    this.#parts = parts
    this.#queue = new TaskQueue({
      ...{ requestOf: parts.requestOf, signal: this.#stop.signal, logger: parts.logger },
      enter: (task, request, signal) => parts.runner.enter(task, request, signal),
    })
  }

  get active(): number {
    return this.#active.size
  }

  get waiting(): number {
    return this.#queue.length + this.#busy.size
  }

  /** The number of the term that does what is recorded now. Undefined if nobody does it yet. */
  get term(): number | undefined {
    return this.#term && !this.#signal.aborted && !this.#isHeld ? this.#term.number : undefined
  }

  /** Takes tasks that were recorded for `term`. */
  add(tasks: readonly Task[]): void {
    for (const task of tasks) {
      // It is nobody's, also where there was no term yet, or that of a term which has ended meanwhile.
      if (task.term === undefined || task.term !== this.#term?.number) this.look()
      else if (!this.#known.has(task.id)) {
        this.#known.set(task.id, task)
        if (!this.#isHeld) this.#queue.push(task)
      }
    }
    this.#next()
  }

  /** To be called when this node has begun a term, and when there may be tasks that nobody has. Returns at once. */
  look(): void {
    if (this.#isHeld) return
    if (this.#looking) {
      this.#again = true
      return
    }
    clearTimeout(this.#retry)
    this.#looking = this.#look()
      .catch((error: unknown) => {
        if (this.#signal.aborted || isLeaseLost(error)) return
        this.#parts.logger.warn({ err: error }, 'the tasks of Cloud Foundry cannot be read; stagerd tries again')
        this.lookLater()
      })
      .finally(() => {
        this.#looking = undefined
        if (!this.#again) return
        this.#again = false
        this.look()
      })
  }

  /** After an error: what the database was asked for may have been done. */
  lookLater(): void {
    clearTimeout(this.#retry)
    if (!this.#isHeld) this.#retry = setTimeout(() => this.look(), this.#parts.retryMs).unref()
  }

  hold(): void {
    this.#isHeld = true
    clearTimeout(this.#retry)
  }

  async drain(): Promise<void> {
    this.hold()
    await this.#looking
    this.#clear()
    await this.#leave([...this.#known.values()].filter((task) => !this.#active.has(task)))
    while (this.#active.size > 0) await Promise.all(this.#active.values())
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.drain()
    await this.#queue.idle()
    await this.#leave([...this.#known.values()])
  }

  async #look(): Promise<void> {
    const { term: current, tasks, maxTasks, isShared, logger } = this.#parts
    const term = current()
    if (!term || term.lost.aborted) return
    if (term.number !== this.#term?.number) {
      // Nothing of an earlier term is at work when the next one begins.
      this.#clear()
      await Promise.all(this.#active.values())
      this.#known.clear()
      this.#term = term
      this.#signal = AbortSignal.any([this.#stop.signal, term.lost])
    }
    // The rest is for others, or for this node when it has a free place.
    const most = isShared ? maxTasks : Infinity
    const claimed = await tasks.claim(term.number, { most, known: new Set(this.#known.keys()) })
    this.#hasMore = claimed.length === most
    if (claimed.length > 0) logger.info({ tasks: claimed.length }, 'interrupted tasks of Cloud Foundry continue')
    this.add(claimed)
  }

  /** Nothing waits any more. */
  #clear(): void {
    this.#queue.clear()
    for (const [task, timer] of this.#busy) {
      clearTimeout(timer)
      this.#queue.ended(task)
    }
    this.#busy.clear()
  }

  /** Gives tasks up. Never rejects: what cannot be given up now is nobody's when the term ends. */
  async #leave(tasks: readonly Task[]): Promise<void> {
    if (tasks.length === 0) return
    for (const { id } of tasks) this.#known.delete(id)
    try {
      await this.#parts.tasks.release(tasks)
      this.#parts.left()
    } catch (error) {
      this.#parts.logger.warn({ err: error }, 'tasks of Cloud Foundry could not be left to other nodes')
    }
  }

  #next(): void {
    if (!this.#term) return
    const signal = this.#signal
    while (!this.#isHeld && !signal.aborted && this.#active.size < this.#parts.maxTasks) {
      const task = this.#queue.shift()
      if (!task) {
        if (this.#hasMore) this.look()
        return
      }
      const done = this.#work(task, signal).then((comesBack) => {
        this.#active.delete(task)
        if (!comesBack) this.#queue.ended(task)
        // At once: the next one of its application has its turn, and need not be shown before.
        this.#next()
      })
      this.#active.set(task, done)
    }
  }

  /** Whether it has its turn again later. Never rejects. */
  async #work(task: Task, signal: AbortSignal): Promise<boolean> {
    try {
      if (!(await this.#do(task, signal))) return this.#later(task, signal)
      this.#known.delete(task.id)
    } catch (error) {
      // `stop` leaves it, or the term has lost it.
      if (isLeaseLost(error) && !signal.aborted) this.#known.delete(task.id)
      else if (!signal.aborted)
        this.#parts.logger.error({ err: error, task: task.id }, 'a task of Cloud Foundry is left to the next start')
    }
    return false
  }

  /** It keeps no place meanwhile: the other staging may be of a request that waits for its turn at another node. */
  #later(task: Task, signal: AbortSignal): boolean {
    if (this.#isHeld || signal.aborted) return false
    const timer = setTimeout(() => {
      this.#busy.delete(task)
      this.#queue.back(task)
      this.#next()
    }, BUSY_MS)
    this.#busy.set(task, timer)
    return true
  }

  /** False while its application is staged by somebody else. */
  async #do(task: Task, signal: AbortSignal): Promise<boolean> {
    const { tasks, runner, send, logger } = this.#parts
    const done = <T>(what: string, work: () => Promise<T>) => untilDone(what, work, signal, this.#parts)
    let { answer } = task
    if (answer === undefined) {
      const found = await this.#answerOf(task, signal)
      if (!found) return false
      const text = (answer = JSON.stringify(found))
      await done('record an answer', () => tasks.answer(task, text))
    }
    const settled = JSON.parse(answer) as TaskAnswer
    await done('end a staging', () => runner.settle(task.id, settled))
    const { reply } = task
    const text = Buffer.from(answer)
    if (reply !== undefined) {
      await done('send an answer', () => send(reply, text))
      const sinceMs = Date.now() - Date.parse(task.receivedAt)
      logger.info({ task: task.id, error: settled.error, sinceMs }, 'a staging request is answered')
    }
    await done('record that an answer was sent', () => tasks.remove(task))
    return true
  }

  async #answerOf(task: Task, signal: AbortSignal): Promise<object | undefined> {
    const { requestOf, runner, failed } = this.#parts
    try {
      const request = requestOf(task)
      if (request) return await runner.run(task, request, signal)
      throw new Error('a recorded request is no JSON')
    } catch (error) {
      signal.throwIfAborted()
      if (isLeaseLost(error)) throw error
      return { task_id: task.id, task_log: task.log, error: failed(error, task.id) }
    }
  }
}
