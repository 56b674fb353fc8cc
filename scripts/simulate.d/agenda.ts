/** What happens next in a simulation: a binary heap of events, by time. */
export class Agenda {
  /** In seconds. */
  now = 0
  readonly #events: { readonly at: number; readonly happen: () => void }[] = []

  after(seconds: number, happen: () => void): void {
    const event = { at: this.now + seconds, happen }
    const events = this.#events
    let place = events.push(event) - 1
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (events[parent]!.at <= event.at) break
      events[place] = events[parent]!
      place = parent
    }
    events[place] = event
  }

  /** Has everything happen that is before this time. */
  runUntil(time: number): void {
    while (this.#events.length > 0 && this.#events[0]!.at <= time) {
      const { at, happen } = this.#takeFirst()
      this.now = at
      happen()
    }
    this.now = time
  }

  #takeFirst() {
    const events = this.#events
    const first = events[0]!
    const last = events.pop()!
    if (events.length === 0) return first
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= events.length) break
      if (child + 1 < events.length && events[child + 1]!.at < events[child]!.at) child++
      if (events[child]!.at >= last.at) break
      events[place] = events[child]!
      place = child
    }
    events[place] = last
    return first
  }
}
