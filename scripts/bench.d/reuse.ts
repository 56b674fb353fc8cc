import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StagedNode } from './staged-node.js'
import { limitRowOf, rowOf, type Pair, type Row } from './row.js'

const MANY = 100_000
const FEW = 100
const STAGERS = 10
const LIMIT_MS = 20
const WARM_UP_ROUNDS = 10

/** Submissions with nothing changed, on a node that has had many stagings, beside one that has had few. No Engine is needed. */
export async function benchReuse({ pairs }: { pairs: number }): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'stagerd-bench-reuse-'))
  const many = await StagedNode.open(join(directory, 'many'), { stagers: STAGERS, stagings: MANY })
  const few = await StagedNode.open(join(directory, 'few'), { stagers: STAGERS, stagings: FEW })
  try {
    const time: Pair[] = []
    const processor: Pair[] = []
    for (let round = -WARM_UP_ROUNDS; round < pairs; round++) {
      const inTurn = round % 2 === 0 ? [many, few] : [few, many]
      const measured = new Map<StagedNode, { readonly ms: number; readonly processorMs: number }>()
      for (const node of inTurn) measured.set(node, await node.submit())
      const [ours, other] = [measured.get(many), measured.get(few)]
      if (round < 0 || !ours || !other) continue
      time.push({ ours: ours.ms, other: other.ms })
      processor.push({ ours: ours.processorMs, other: other.processorMs })
    }
    const beside = `${FEW} stagings`
    return [
      limitRowOf(
        {
          work: `answer with nothing changed, ${STAGERS} stagers, ${MANY} stagings`,
          beside,
          limit: LIMIT_MS,
          unit: 'ms',
        },
        time,
      ),
      rowOf({ work: 'processor time of it', beside, target: 1.25, unit: 'ms' }, processor),
    ]
  } finally {
    await many.close()
    await few.close()
    await rm(directory, { recursive: true })
  }
}
