import type { LogLine, Staging } from '../../daemon/documents/staging.js'
import { elapsed } from '../display/time.js'

const LAUNCHING = /^Launching instance of stager '(.+)'\.\.\.$/

/** Measures the duration of each launch of a staging by the timestamps of its log, which come from the daemon. */
export class StagerTimes {
  #current: { readonly stager: string; readonly since: number } | undefined

  /** Takes a line of the log. Returns a message about the launch that it ends, if any. */
  onLine({ stream, text, time }: LogLine): string | undefined {
    const stager = stream === 'staging' ? LAUNCHING.exec(text)?.[1] : undefined
    if (stager === undefined) return undefined
    const message = this.#message(time)
    this.#current = { stager, since: Date.parse(time) }
    return message
  }

  onEnd({ ended_at: endedAt }: Staging): string | undefined {
    const message = endedAt === undefined ? undefined : this.#message(endedAt)
    this.#current = undefined
    return message
  }

  #message(until: string): string | undefined {
    if (!this.#current) return undefined
    const { stager, since } = this.#current
    return `Stager '${stager}' ran for ${elapsed(Date.parse(until) - since)}.`
  }
}
