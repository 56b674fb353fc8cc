import { EventEmitter, getEventListeners } from 'node:events'
import { readdir, readlink } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { vi } from 'vitest'

/** What this process has open. */
export interface OpenInProcess {
  readonly sockets: number
  /** All but sockets. */
  readonly descriptors: number
  readonly timers: number
}

export async function openInProcess(): Promise<OpenInProcess> {
  const links = await Promise.all(
    // One is that of the listing itself.
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => undefined)),
  )
  const open = links.filter((link) => link !== undefined)
  const sockets = open.filter((link) => link.startsWith('socket:')).length
  const timers = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  return { sockets, descriptors: open.length - sockets, timers }
}

/**
 * Counts the listeners on all signals and emitters that got one between this call and the first count: those that are there
 * longer than the work that is counted afterwards. `vi.restoreAllMocks` ends it.
 */
export function watchListeners(): () => number {
  const seen = new Map<EventTarget | EventEmitter, Set<string>>()
  let isOver = false
  const note = (target: EventTarget | EventEmitter, event: unknown) => {
    if (!isOver && typeof event === 'string') seen.set(target, (seen.get(target) ?? new Set()).add(event))
  }
  const methods: [object, string][] = [
    [EventTarget.prototype, 'addEventListener'],
    ...['on', 'once', 'addListener'].map((name): [object, string] => [EventEmitter.prototype, name]),
  ]
  for (const [prototype, name] of methods) {
    const original = Reflect.get(prototype, name) as (...given: unknown[]) => unknown
    vi.spyOn(prototype as Record<string, typeof original>, name).mockImplementation(function (
      this: EventTarget | EventEmitter,
      ...given
    ) {
      note(this, given[0])
      return Reflect.apply(original, this, given)
    })
  }
  return () => {
    isOver = true
    let count = 0
    for (const [target, events] of seen) for (const event of events) count += getEventListeners(target, event).length
    return count
  }
}

/** How long what is being closed may take, in milliseconds. */
const DEADLINE_MS = 10_000

/** Waits until nothing is open that was not `before`. Without `expect.poll`, which has a timer of its own. */
export async function untilNothingMoreIsOpen<T extends object>(before: T, look: () => Promise<T>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS
  for (;;) {
    const now = await look()
    const names = Object.keys(before) as (keyof T)[]
    if (names.every((name) => now[name] <= before[name])) return
    if (performance.now() > deadline)
      throw new Error(`more is open than before: ${JSON.stringify(now)} instead of ${JSON.stringify(before)}`)
    await delay(20)
  }
}
