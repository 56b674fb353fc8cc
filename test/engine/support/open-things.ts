import { readdir, readlink } from 'node:fs/promises'
import type Docker from 'dockerode'

/** What this process has open, and how much the Engine is at work for anybody. */
export interface OpenThings {
  readonly sockets: number
  /** All but sockets. */
  readonly descriptors: number
  readonly timers: number
  /** Of the Engine: each connection has some. Its sockets tell nothing, because it leaves closed ones to its collector. */
  readonly goroutines: number
}

export async function openThings(engine: Docker): Promise<OpenThings> {
  const { NGoroutines: goroutines } = (await engine.info()) as { readonly NGoroutines: number }
  const links = await Promise.all(
    // One is that of the listing itself.
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => undefined)),
  )
  const open = links.filter((link) => link !== undefined)
  const sockets = open.filter((link) => link.startsWith('socket:')).length
  const timers = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  return { sockets, descriptors: open.length - sockets, timers, goroutines }
}
