/** One request of the older staging service, from its receipt until its answer is sent. */
export interface Task {
  /** The `task_id` of the answer. */
  readonly id: string
  /** Sealed: its URIs may contain credentials. */
  readonly request: Uint8Array
  /** Where the answer goes; undefined if nobody waits for one. */
  readonly reply: string | undefined
  readonly receivedAt: string
  /** When it was begun first, which its time limit counts from; undefined if it waits. */
  readonly begunAt: string | undefined
  /** Whether the droplet may have been sent: it is not sent again then. */
  readonly uploading: boolean
  /** Lines, each with a line feed. */
  readonly log: string
  /** JSON, once it is known. It does not change any more. */
  readonly answer: string | undefined
}

/**
 * The tasks whose answers have not been sent. Every method is one transaction, which is durable when it resolves. Those
 * that name a task throw `NotFound` (`task-not-found`).
 */
export interface TaskRepository {
  /** All of them, in this order. */
  record(tasks: readonly Pick<Task, 'id' | 'request' | 'reply' | 'answer'>[]): Promise<void>
  /** In the order of their receipt. */
  all(): Promise<readonly Task[]>
  progress(id: string, change: Partial<Pick<Task, 'begunAt' | 'uploading' | 'log'>>): Promise<void>
  /** With the last lines of its log. */
  answer(id: string, answer: string): Promise<void>
  /** The answer was sent, or nobody waits for it. Does nothing for one that is not there. */
  remove(id: string): Promise<void>
}
