import { createHash } from 'node:crypto'
import { availableParallelism, release } from 'node:os'
import type { NodeFacts } from './staging/launch-digest.js'

export interface FactsOfNode {
  readonly version: string
  /** Content by absolute path of files in every root. */
  readonly files: ReadonlyMap<string, string>
  /** Of what stagers make. */
  readonly compressor: { readonly name: string; readonly level: number }
}

/** What stagers can see of this node, and what shapes the bytes of their results. */
export function nodeFacts({ version, files, compressor }: FactsOfNode): NodeFacts {
  const digest = createHash('sha256')
  for (const [path, content] of files) digest.update(JSON.stringify([path, content]))
  return {
    version,
    architecture: process.arch,
    kernel: release(),
    processors: availableParallelism(),
    files: digest.digest('hex'),
    compressor: compressor.name,
    compression: compressor.level,
  }
}
