import type { FuzzTarget } from '../fuzz-target.js'
import type { Coverage } from './coverage.js'
import { judge, type Verdict } from './judge.js'
import { mutate } from './mutate.js'
import type { Random } from './random.js'
import { shrink } from './shrink.js'

/** To ask for the coverage takes milliseconds: the inputs between two questions take so many times as long. */
const BATCH_TO_QUESTION = 4

export interface Failure {
  readonly bytes: Buffer
  readonly why: string
}

export interface SessionResult {
  readonly runs: number
  readonly outcomes: readonly string[]
  /** The shortest inputs that together reach all that was reached. */
  readonly corpus: readonly Buffer[]
  readonly failure: Failure | undefined
}

/** Searches inputs of one target that reach code or outcomes that none has reached before, until one fails. */
export class FuzzSession {
  readonly #inputs: Buffer[] = []
  readonly #outcomes = new Set<string>()
  #runs = 0
  #questionMs = 1
  #failure: Failure | undefined

  /** @param onInput called before an input runs: it may be the last that does */
  constructor(
    private readonly target: FuzzTarget,
    private readonly coverage: Coverage,
    private readonly random: Random,
    private readonly onInput: (bytes: Buffer) => void = () => undefined,
    private readonly shrinkingMs = 20_000,
  ) {}

  async run(beginning: readonly Buffer[], seconds: number): Promise<SessionResult> {
    const deadline = performance.now() + seconds * 1000
    const seeds = this.target.seeds.map((seed) => (typeof seed === 'string' ? Buffer.from(seed) : seed))
    for (const bytes of [...seeds, ...beginning]) if (!this.#failure) await this.#runOne(bytes)
    while (!this.#failure && performance.now() < deadline) await this.#batch()
    return {
      runs: this.#runs,
      outcomes: [...this.#outcomes].sort(),
      corpus: this.#failure ? [] : await this.#minimised(),
      failure: this.#failure && (await this.#shrunk(this.#failure)),
    }
  }

  async #batch(): Promise<void> {
    const tried: Buffer[] = []
    const end = performance.now() + BATCH_TO_QUESTION * this.#questionMs
    do {
      const bytes = mutate(this.#parent(), this.random.of(this.#inputs), this.target, this.random)
      tried.push(bytes)
      if (await this.#hasNewOutcome(bytes)) this.#inputs.push(bytes)
      if (this.#failure) return
    } while (performance.now() < end)
    const before = performance.now()
    const isNew = this.coverage.hasNew()
    this.#questionMs = performance.now() - before
    if (isNew) await this.#keepNew(tried)
  }

  /** Finds those that reach new code, by halves. */
  async #keepNew(tried: readonly Buffer[]): Promise<void> {
    const [only] = tried
    if (tried.length === 1 && only) {
      await this.#runOne(only)
      return
    }
    const middle = Math.ceil(tried.length / 2)
    for (const half of [tried.slice(0, middle), tried.slice(middle)]) {
      for (const bytes of half) await this.#judge(bytes)
      if (this.coverage.hasNew()) await this.#keepNew(half)
    }
  }

  /** Mostly one that was found lately: it is the least explored. */
  #parent(): Buffer {
    const inputs = this.#inputs
    const last = Math.min(8, inputs.length)
    return this.random.oneIn(3) ? inputs[inputs.length - 1 - this.random.below(last)]! : this.random.of(inputs)
  }

  async #runOne(bytes: Buffer): Promise<void> {
    const hasNewOutcome = await this.#hasNewOutcome(bytes)
    const reached = this.coverage.takeNew()
    if (hasNewOutcome || reached > 0 || this.#inputs.length === 0) this.#inputs.push(bytes)
  }

  async #hasNewOutcome(bytes: Buffer): Promise<boolean> {
    const verdict = await this.#judge(bytes)
    if (verdict.kind === 'failed') {
      this.#failure ??= { bytes, why: verdict.why }
      return false
    }
    if (this.#outcomes.has(verdict.outcome)) return false
    this.#outcomes.add(verdict.outcome)
    return true
  }

  async #judge(bytes: Buffer): Promise<Verdict> {
    this.#runs += 1
    this.onInput(bytes)
    return await judge(this.target, bytes)
  }

  async #minimised(): Promise<Buffer[]> {
    const all = this.#inputs.splice(0).sort((one, other) => one.length - other.length)
    this.coverage.startOver()
    this.#outcomes.clear()
    for (const bytes of all) await this.#runOne(bytes)
    return [...this.#inputs]
  }

  async #shrunk({ bytes, why }: Failure): Promise<Failure> {
    const first = await this.#judge(bytes)
    // It depends on what ran before, or on the host.
    if (first.kind === 'fine') return { bytes, why: `${why}\n(not when it runs alone)` }
    const fails = async (candidate: Buffer) => {
      const verdict = await this.#judge(candidate)
      return verdict.kind === 'failed' && verdict.signature === first.signature
    }
    const shortest = await shrink(bytes, fails, performance.now() + this.shrinkingMs)
    const verdict = await this.#judge(shortest)
    return { bytes: shortest, why: verdict.kind === 'failed' ? verdict.why : why }
  }
}
