import type { Operation, OperationName, Watch } from './operations.js'

/** What is to happen at one of the operations. */
export interface Fault {
  /** The point where it happens, as `pointOf` names it; undefined: any of them. */
  readonly point?: string
  /** Only of writes that have it in them. */
  readonly text?: string
  /** From 1, of the operations at this point. */
  readonly nth: number
  readonly then:
    | {
        readonly fail: 'ENOSPC' | 'EIO'
        /** From then on, each of these fails, too. */
        readonly lasting?: readonly OperationName[]
      }
    | { readonly kill: number; readonly when: 'before' | 'after' }
}

export interface FaultReport {
  /** The names of the operations since the fault was set, in their order. */
  readonly points: readonly string[]
  /** Where it has happened. */
  readonly happened: string | undefined
}

const UNIQUE =
  /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{64}\b|(?<=sha256\/)[0-9a-f]{2}\b/g

/** The same for each run: without what is new in each. */
export function pointOf({ name, path, target }: Operation): string {
  const whole = target === undefined ? `${name} ${path}` : `${name} ${path} to ${target}`
  return whole.replaceAll(UNIQUE, '*')
}

/** Counts the operations, and has one of them, or all from one on, fail, or kills a process at it. */
export class Faults implements Watch {
  #fault: Fault | undefined
  #points: string[] = []
  #count = 0
  #happened: string | undefined

  set(fault: Fault | undefined): void {
    this.#fault = fault
    this.#points = []
    this.#count = 0
    this.#happened = undefined
  }

  get report(): FaultReport {
    return { points: this.#points, happened: this.#happened }
  }

  before(operation: Operation): void {
    const point = pointOf(operation)
    this.#points.push(point)
    if (!this.#fault) return
    const { nth, then } = this.#fault
    if ('fail' in then && this.#happened !== undefined && then.lasting?.includes(operation.name))
      throw planted(then.fail)
    if (!isMeant(this.#fault, point, operation)) return
    this.#count += 1
    if ('kill' in then) {
      if (then.when === 'after' || this.#count !== nth || this.#happened !== undefined) return
      this.#kill(then.kill, point)
      throw planted('EINTR')
    }
    if (this.#count !== nth || this.#happened !== undefined) return
    this.#happened = point
    throw planted(then.fail)
  }

  after(operation: Operation): void {
    const point = pointOf(operation)
    if (!this.#fault || !isMeant(this.#fault, point, operation)) return
    const { nth, then } = this.#fault
    if ('kill' in then && then.when === 'after' && this.#count === nth) this.#kill(then.kill, point)
  }

  #kill(pid: number, point: string): void {
    if (this.#happened !== undefined) return
    this.#happened = point
    process.kill(pid, 'SIGKILL')
  }
}

function isMeant(fault: Fault, point: string, { data }: Operation): boolean {
  if (fault.text !== undefined && data?.includes(fault.text) !== true) return false
  return fault.point === undefined || fault.point === point
}

function planted(code: string): Error {
  return Object.assign(new Error('planted'), { code })
}
