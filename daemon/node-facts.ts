import { createHash } from 'node:crypto'
import { availableParallelism, hostname, release } from 'node:os'
import type { NodeIdentity } from './model/node.js'
import type { Settings } from './settings/settings.js'
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

/**
 * What this node says of itself to others that share its database.
 *
 * @param concurrency how many stagings it runs at once; it may change
 */
export function identityOf(
  { node, control: { address } }: Pick<Settings, 'node' | 'control'>,
  uuid: string,
  concurrency: () => number,
): NodeIdentity {
  return {
    ...{ uuid, name: node.name ?? hostname(), labels: node.labels },
    address: address && `${address.host}:${address.port}`,
    get concurrency() {
      return concurrency()
    },
  }
}
