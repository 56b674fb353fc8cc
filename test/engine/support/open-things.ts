import type Docker from 'dockerode'
import { openInProcess, type OpenInProcess } from '../../support/open-in-process.js'

/** What this process has open, and how much the Engine is at work for anybody. */
export interface OpenThings extends OpenInProcess {
  /** Of the Engine: each connection has some. Its sockets tell nothing, because it leaves closed ones to its collector. */
  readonly goroutines: number
}

export async function openThings(engine: Docker): Promise<OpenThings> {
  const { NGoroutines: goroutines } = (await engine.info()) as { readonly NGoroutines: number }
  return { ...(await openInProcess()), goroutines }
}
