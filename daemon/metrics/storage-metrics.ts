import { Gauge, type Registry } from 'prom-client'
import type { Isolation } from '../../isolation/isolation.js'
import type { BlobStore } from '../store/blob-store.js'
import type { ReferenceRepository } from '../store/reference-repository.js'

export interface StorageMetricsParts {
  readonly registry: Registry
  readonly blobs: Pick<BlobStore, 'list'>
  readonly references: Pick<ReferenceRepository, 'resources'>
  readonly isolation: Pick<Isolation, 'caches'>
  /** A monotonic clock, in milliseconds. */
  readonly now?: () => number
}

/** How long what was counted holds, in milliseconds: to count looks at each file. */
const HOLDS_MS = 5 * 60_000

type Kind = 'blob' | 'layer' | 'image' | 'cache'
type Held = ReadonlyMap<Kind, { readonly count: number; readonly bytes: number }>

/** What the node keeps on its disk, by kind. Counted at most every five minutes. */
export function measureStorage({ now = () => performance.now(), registry, ...parts }: StorageMetricsParts): void {
  let counted: { readonly at: number; readonly held: Promise<Held> } | undefined
  const held = () => {
    if (!counted || now() - counted.at > HOLDS_MS) counted = { at: now(), held: count(parts) }
    return counted.held
  }
  const help = 'What is kept, by kind: blob, layer, image, cache of a stager. Without the Engine, blobs only'
  for (const [name, field] of [
    ['stagerd_held_objects', 'count'],
    ['stagerd_held_bytes', 'bytes'],
  ] as const)
    new Gauge({
      name,
      help,
      labelNames: ['kind'],
      registers: [registry],
      async collect() {
        this.reset()
        for (const [kind, one] of await held()) this.set({ kind }, one[field])
      },
    })
}

async function count({ blobs, references, isolation }: Omit<StorageMetricsParts, 'registry' | 'now'>): Promise<Held> {
  const held = new Map<Kind, { count: number; bytes: number }>()
  const add = (kind: Kind, bytes: number) => {
    const sum = held.get(kind) ?? { count: 0, bytes: 0 }
    held.set(kind, { count: sum.count + 1, bytes: sum.bytes + bytes })
  }
  for await (const { length } of blobs.list()) add('blob', length)
  // Its images cannot be listed while it does not answer, which `stagerd_engine_up` says.
  const caches = await isolation.caches(await references.resources()).catch(() => [])
  for (const { kind, bytes } of caches) add(kind, bytes)
  return held
}
