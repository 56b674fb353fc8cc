import { StagerdError } from '../../../base/errors.js'
import { BASE_MS, type FuzzTarget, MAX_GROWTH_BYTES, USUAL_MICROS_PER_BYTE } from '../fuzz-target.js'

export type Verdict =
  /** How the target understood the input, or the code of its refusal. */
  | { readonly kind: 'fine'; readonly outcome: string }
  /** `signature` is the same for inputs that fail in the same way. */
  | { readonly kind: 'failed'; readonly why: string; readonly signature: string }

/** Time is measured so often: a garbage collection may fall into one of them. */
const MEASUREMENTS = 3

/** Runs the target on one input. */
export async function judge(target: FuzzTarget, bytes: Buffer): Promise<Verdict> {
  const allowedMs = BASE_MS + ((target.microsPerByte ?? USUAL_MICROS_PER_BYTE) * bytes.length) / 1000
  let tookMs = Infinity
  for (let left = MEASUREMENTS; left > 0; left -= 1) {
    const peakBefore = process.resourceUsage().maxRSS * 1024
    const before = process.cpuUsage()
    const verdict = await outcomeOf(target, bytes)
    const { user, system } = process.cpuUsage(before)
    if (verdict.kind === 'failed') return verdict
    const growth = process.resourceUsage().maxRSS * 1024 - peakBefore
    if (growth > MAX_GROWTH_BYTES)
      return failed('memory', `${bytes.length} bytes took ${Math.round(growth / 1024 ** 2)} MiB of memory`)
    tookMs = Math.min(tookMs, (user + system) / 1000)
    if (tookMs <= allowedMs) return verdict
  }
  return failed(
    'time',
    `${bytes.length} bytes took ${Math.round(tookMs)} ms of the processor, and may take ${Math.round(allowedMs)}`,
  )
}

async function outcomeOf(target: FuzzTarget, bytes: Buffer): Promise<Verdict> {
  try {
    // A copy: what a parser keeps of its input must not change the input.
    return { kind: 'fine', outcome: await target.run(Buffer.from(bytes)) }
  } catch (error) {
    if (error instanceof StagerdError && target.refusals.includes(error.code))
      return { kind: 'fine', outcome: `refused: ${error.code}` }
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const [first = ''] = why.split('\n')
    return failed(first.replace(/".*?"|\d+|\{.*/g, '_'), why)
  }
}

function failed(signature: string, why: string): Verdict {
  return { kind: 'failed', why, signature }
}
