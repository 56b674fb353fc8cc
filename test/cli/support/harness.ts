import path from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { stagectl } from '../../../cli/stagectl.js'
import { CapturedIo } from './captured-io.js'
import { FakeApi } from './fake-api.js'
import { makeWorkspace } from './workspace.js'

export interface Harness {
  readonly root: string
  readonly api: FakeApi
  /** Runs stagectl against the fake, in the workspace. */
  readonly run: (...argv: string[]) => Promise<{ code: number; io: CapturedIo }>
  /** The same with the given `io`, for tests that act while it runs. */
  readonly start: (io: CapturedIo, ...argv: string[]) => Promise<number>
  readonly io: (options?: ConstructorParameters<typeof CapturedIo>[1]) => CapturedIo
}

/** Creates a workspace and a fake API for each test. A request without a route fails the test. */
export function useHarness(): () => Harness {
  let harness: Harness
  let remove: () => Promise<void>
  beforeEach(async () => {
    const workspace = await makeWorkspace()
    const { root } = workspace
    remove = workspace.remove
    const api = await new FakeApi(path.join(root, 'api.sock')).listen()
    const io: Harness['io'] = (options) => new CapturedIo(root, options)
    const start: Harness['start'] = (captured, ...argv) => stagectl(['--socket', api.socket, ...argv], captured)
    harness = {
      root,
      api,
      io,
      start,
      run: async (...argv) => {
        const captured = io()
        return { code: await start(captured, ...argv), io: captured }
      },
    }
  })
  afterEach(async () => {
    try {
      await harness.api.close()
    } finally {
      await remove()
    }
  })
  return () => harness
}
