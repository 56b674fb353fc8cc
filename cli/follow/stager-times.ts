import type { LogLine, Staging } from '../../daemon/documents/staging.js'
import { elapsed } from '../display/time.js'

const LAUNCHING = /^Launching instance of stager '(.+)'\.\.\.$/

/** How long each launch of a staging took, told as soon as it is over. The daemon's own clock counts. */
export class StagerTimes {
  #current: { readonly stager: string; readonly since: number } | undefined

  /** A line of the log: the launch that it shows to be over, in words. */
  line({ stream, text, time }: LogLine): string | undefined {
    const stager = stream === 'staging' ? LAUNCHING.exec(text)?.[1] : undefined
    if (stager === undefined) return undefined
    const over = this.#tell(time)
    this.#current = { stager, since: Date.parse(time) }
    return over
  }

  end({ ended_at: endedAt }: Staging): string | undefined {
    const over = endedAt === undefined ? undefined : this.#tell(endedAt)
    this.#current = undefined
    return over
  }

  #tell(until: string): string | undefined {
    if (!this.#current) return undefined
    const { stager, since } = this.#current
    return `Stager '${stager}' worked for ${elapsed(Date.parse(until) - since)}.`
  }
}
