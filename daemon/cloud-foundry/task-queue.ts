import type { Logger } from 'pino'
import { StagerdError } from '../../base/errors.js'
import type { Task } from '../store/task-repository.js'
import { packageNameOf, type StagingRequest } from './staging-request.js'

export interface TaskQueueParts {
  /** Undefined, or an error, for what is none. */
  readonly requestOf: (task: Task) => StagingRequest | undefined
  /** See `TaskRunner.enter`. */
  readonly enter: (task: string, request: StagingRequest, signal: AbortSignal) => Promise<void>
  readonly signal: AbortSignal
  readonly logger: Pick<Logger, 'warn'>
}

/**
 * Tasks that wait for their turn, in the order of their receipt.
 *
 * Of each application, only the first that has not ended is shown as a staging, also before its turn, and has a turn: a
 * package has one staging at a time, so that a later one would keep an earlier one waiting.
 */
export class TaskQueue {
  readonly #parts: TaskQueueParts
  #waiting: Task[] = []
  /** The packages of all that have not ended, by their tasks. */
  readonly #packages = new Map<string, string>()
  /** One after the other, so that the records of later requests are not delayed. */
  #shown: Promise<void> = Promise.resolve()

  constructor(parts: TaskQueueParts) {
    this.#parts = parts
  }

  get length(): number {
    return this.#waiting.length
  }

  push(task: Task): void {
    this.back(task)
    if (task.answer !== undefined) return
    const request = this.#requestOf(task)
    if (!request) return
    this.#packages.set(task.id, packageNameOf(request.appId))
    this.#show(task)
  }

  /** It has had its turn, and has it again later. */
  back(task: Task): void {
    const after = this.#waiting.findIndex(({ number }) => number > task.number)
    this.#waiting.splice(after === -1 ? this.#waiting.length : after, 0, task)
  }

  /** The one whose turn it is. */
  shift(): Task | undefined {
    const index = this.#waiting.findIndex((task) => this.#isFirst(task))
    return index === -1 ? undefined : this.#waiting.splice(index, 1)[0]
  }

  /** To be called for each one that has had its turn, and does not come back. */
  ended({ id }: Pick<Task, 'id'>): void {
    const name = this.#packages.get(id)
    this.#packages.delete(id)
    const next = this.#waiting.find((task) => name !== undefined && this.#packages.get(task.id) === name)
    if (next) this.#show(next)
  }

  /** Returns those that waited. */
  clear(): readonly Task[] {
    const waited = this.#waiting
    this.#waiting = []
    for (const { id } of waited) this.#packages.delete(id)
    return waited
  }

  /** Resolves when nothing is being submitted. */
  async idle(): Promise<void> {
    await this.#shown
  }

  #show(task: Task): void {
    this.#shown = this.#shown
      .then(async () => {
        const { enter, signal } = this.#parts
        if (signal.aborted || !this.#waiting.includes(task) || !this.#isFirst(task)) return
        const request = this.#requestOf(task)
        if (request) await enter(task.id, request, signal)
      })
      .catch((error: unknown) => {
        // Its own turn repeats it, and tells the requester what is wrong.
        if (!this.#parts.signal.aborted && !(error instanceof StagerdError))
          this.#parts.logger.warn({ err: error, task: task.id }, 'a task that waits cannot be shown as a staging')
      })
  }

  /** Also one that has no application, or has its answer already. */
  #isFirst({ id }: Task): boolean {
    const name = this.#packages.get(id)
    if (name === undefined) return true
    for (const [other, its] of this.#packages) if (its === name) return other === id
    return false
  }

  /** Undefined for what cannot be read: its turn tells the requester. */
  #requestOf(task: Task): StagingRequest | undefined {
    try {
      return this.#parts.requestOf(task)
    } catch {
      return undefined
    }
  }
}
