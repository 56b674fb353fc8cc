import { quote } from '../../base/fqn.js'
import { shownPath } from '../../base/byte-path.js'

type Reason = 'socket' | 'special' | 'vanished'

/** Counts what is in a source but not in its archive, and says it in sentences. */
export class LeftOut {
  readonly #found = new Map<Reason, { count: number; readonly example: string }>()

  /** @param path bytes as latin1 */
  add(reason: Reason, path: string): void {
    const found = this.#found.get(reason)
    if (found) found.count += 1
    else this.#found.set(reason, { count: 1, example: quote(shownPath(path)) })
  }

  sentences(): string[] {
    const sentence = (reason: Reason, one: string, several: string, why: (them: string) => string) => {
      const found = this.#found.get(reason)
      if (!found) return []
      const { count, example } = found
      return [
        count === 1
          ? `One ${one} is left out, ${example}: ${why('it')}.`
          : `${count} ${several} are left out, such as ${example}: ${why('them')}.`,
      ]
    }
    const cannotContain = (them: string) => `a package cannot contain ${them}`
    const changed = () => 'the directory changed while it was packed; pack again if they belong to the source'
    return [
      ...sentence('socket', 'socket', 'sockets', cannotContain),
      ...sentence('special', 'named pipe or device', 'named pipes or devices', cannotContain),
      ...sentence('vanished', 'entry', 'entries', changed),
    ]
  }
}
