import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A private directory for a test; `remove` deletes it with its content. */
export async function temporaryDirectory(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'stagerd-test-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
