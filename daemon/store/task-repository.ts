/** One request of the older staging service, from its receipt until its answer is sent. */
export interface Task {
  /** The `task_id` of the answer. */
  readonly id: string
  /** Increases with every receipt, at whichever node. */
  readonly number: number
  /** The number of the term that does it. Undefined if it is nobody's. */
  readonly term: number | undefined
  /** Sealed: its URIs may contain credentials. */
  readonly request: Uint8Array
  /** Where the answer goes; undefined if nobody waits for one. */
  readonly reply: string | undefined
  readonly receivedAt: string
  /** When it was begun first, which its time limit counts from, in time of this process; undefined if it waits. */
  readonly begunAt: string | undefined
  /** Whether the droplet may have been sent: it is not sent again then. */
  readonly uploading: boolean
  /** Lines, each with a line feed. */
  readonly log: string
  /** JSON, once it is known. It does not change any more. */
  readonly answer: string | undefined
}

export type NewTask = Pick<Task, 'id' | 'request' | 'reply' | 'answer'>

/** A task as a term has it, which is asked for in each transaction that changes it. */
export type OwnedTask = Pick<Task, 'id' | 'term'>

/**
 * The tasks whose answers have not been sent. Every method is one transaction, which is durable when it resolves.
 *
 *   record ──> of a term ──begin, progress, answer──> of a term … ──remove──> gone
 *                 └──release, end of the term──> nobody's ──claim──> of another term
 *
 * INVARIANT: Only the open term that has a task changes it; others get `Conflict` (`lease-lost`). So of the nodes that have worked at a
 * task, one records its answer. Whether a term is open, its row says, which no task has to follow when it ends.
 */
export interface TaskRepository {
  /** All of them, in this order. @param term undefined, or one that has ended: they are nobody's */
  record(tasks: readonly NewTask[], term?: number): Promise<readonly Task[]>
  /** In the order of their receipt. */
  all(): Promise<readonly Task[]>
  /** How many wait for this node to be started with the service: they are nobody's, or those of its own term. */
  count(node: string): Promise<number>
  /**
   * Makes the oldest tasks that no open term has this term's, and returns them in the order of their receipt, with those that it has
   * already. Throws `Conflict` (`lease-lost`) if it has ended.
   *
   * @param known ids of tasks that are left out
   */
  claim(
    term: number,
    { most, known }: { readonly most: number; readonly known: ReadonlySet<string> },
  ): Promise<readonly Task[]>
  /** They become nobody's, unless another term has them. */
  release(tasks: readonly OwnedTask[]): Promise<void>
  /** Its time runs from now on, by the clock of the database. One that was begun stays as it is. */
  begin(task: OwnedTask): Promise<void>
  progress(task: OwnedTask, change: Partial<Pick<Task, 'uploading' | 'log'>>): Promise<void>
  /** With the last lines of its log. */
  answer(task: OwnedTask, answer: string): Promise<void>
  /** The answer was sent, or nobody waits for it. Does nothing for one that is not there. */
  remove(task: OwnedTask): Promise<void>
}
