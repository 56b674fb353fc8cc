import { Session, type Profiler } from 'node:inspector'

/**
 * Which code of this thread has run, by the precise coverage of V8, block by block. Nothing is instrumented: what is
 * fuzzed is what ships.
 */
export class Coverage {
  readonly #session = new Session()
  /** Of each script, the characters that have run before. */
  readonly #seen = new Map<string, Uint8Array>()

  /** @param isOurs whether the script with this URL counts */
  constructor(private readonly isOurs: (url: string) => boolean) {
    this.#session.connect()
    this.#post('Profiler.enable')
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** How many characters of code have run since it was asked last, and never before. */
  takeNew(): number {
    return this.#count(true)
  }

  /** Whether any has. It stays new: who wants to know which of several inputs it was runs them again, one by one. */
  hasNew(): boolean {
    return this.#count(false) > 0
  }

  /** Forgets what takeNew would count, and counts what it has counted before again. */
  startOver(): void {
    this.takeNew()
    this.#seen.clear()
  }

  close(): void {
    this.#session.disconnect()
  }

  #count(marks: boolean): number {
    const { result } = this.#post('Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType
    let found = 0
    for (const { url, functions } of result)
      if (this.isOurs(url)) for (const { ranges } of functions) found += this.#add(url, ranges, marks)
    return found
  }

  /** Ranges are nested, and an outer one comes first: an inner one says it better. */
  #add(url: string, ranges: readonly Profiler.CoverageRange[], marks: boolean): number {
    let found = 0
    const [whole] = ranges
    if (!whole || whole.count === 0) return 0
    const seen = this.#seenOf(url, whole.endOffset)
    // From one end of a range to the next, the innermost range around it counts.
    const open: Profiler.CoverageRange[] = []
    let at = whole.startOffset
    const closeUpTo = (offset: number) => {
      for (let inner = open.at(-1); inner && inner.endOffset <= offset; inner = open.at(-1)) {
        found += newIn(seen, at, inner.endOffset, inner.count, marks)
        at = inner.endOffset
        open.pop()
      }
      const around = open.at(-1)
      if (around) found += newIn(seen, at, offset, around.count, marks)
      at = offset
    }
    for (const range of ranges) {
      closeUpTo(range.startOffset)
      open.push(range)
    }
    closeUpTo(whole.endOffset)
    return found
  }

  #seenOf(url: string, length: number): Uint8Array {
    const known = this.#seen.get(url)
    if (known && known.length >= length) return known
    const seen = new Uint8Array(Math.max(length, 2 * (known?.length ?? 0)))
    if (known) seen.set(known)
    this.#seen.set(url, seen)
    return seen
  }

  /** The session is of this thread, and answers before `post` returns. */
  #post(method: string, parameters?: object): unknown {
    let answer: unknown
    this.#session.post(method, parameters, (error, result) => {
      if (error) throw new Error(`${method}: ${error.message}`)
      answer = result
    })
    return answer
  }
}

function newIn(seen: Uint8Array, from: number, to: number, count: number, marks: boolean): number {
  if (count === 0 || from >= to) return 0
  const first = seen.indexOf(0, from)
  if (first < 0 || first >= to) return 0
  let found = 0
  for (let at = first; at < to; at++) if (seen[at] === 0) found += 1
  if (marks) seen.fill(1, first, to)
  return found
}
