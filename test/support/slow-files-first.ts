import { createHash } from 'node:crypto'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * The files that take longest, longest first: of the Engine, from 20 s on, of others, from 8 s on. One that began last would run
 * alone, beside idle processors.
 */
const SLOW = [
  'test/engine/system/bootstrap.test.ts',
  'test/engine/system/on-debian.test.ts',
  'test/engine/durability/crash-points.test.ts',
  'test/engine/durability/failing-disk.test.ts',
  'test/engine/docker/isolation.test.ts',
  'test/engine/system/stager-cache-crash.test.ts',
  'test/engine/launch/stager-cache.test.ts',
  'test/engine/fleet/fleet.test.ts',
  'test/engine/launch/root.test.ts',
  'test/hostile/engine/waiting-shell.test.ts',
  'test/engine/system/staging-requests.test.ts',
  'test/engine/durability/staging-requests.test.ts',
  'test/engine/system/crash.test.ts',
  'test/engine/launch/stagerfs.test.ts',
  'test/engine/network/network-isolation.test.ts',
  'test/engine/system/keep-failed.test.ts',
  'test/engine/system/garbage.test.ts',
  'test/engine/system/containers.test.ts',
  'test/hostile/engine/stagers.test.ts',
  'test/engine/system/backup.test.ts',
  'test/engine/system/webhooks.test.ts',
  'test/engine/network/networks-in-turn.test.ts',
  'test/engine/launch/kept.test.ts',
  'test/engine/system/many-stagings.test.ts',
  'test/engine/system/shared-requests.test.ts',
  'test/engine/system/engine-crash.test.ts',
  'test/engine/snapshot/law.test.ts',
  'test/engine/system/exchange.test.ts',
  'test/engine/snapshot/container-cases.test.ts',
  'test/engine/launch/run.test.ts',
  'test/engine/system/object-store.test.ts',
  'test/engine/durability/power-cut.test.ts',
  'test/daemon/store/s3-blob-store.test.ts',
  'test/stagers/library-verdicts.test.ts',
  'test/docs/symptoms.test.ts',
  'test/hostile/archives/doors.test.ts',
  'test/hostile/control/tenants.test.ts',
  'test/stagers/library-kept.test.ts',
  'test/daemon/cloud-foundry/drain.test.ts',
  'test/daemon/migrate/migrate-node.test.ts',
  'test/stagers/library-operations.test.ts',
  'test/stagers/library-retries.test.ts',
  'test/daemon/api/exchange.test.ts',
  'test/daemon/coordinator/file-sender.test.ts',
  'test/daemon/staging/reuse-law.test.ts',
  'test/daemon/cloud-foundry/nats-credentials.test.ts',
  'test/daemon/store/postgres.test.ts',
  'test/docs/commands.test.ts',
  'test/daemon/store/postgres-node.test.ts',
  'test/fuzz/engine.test.ts',
  'test/cli/process.test.ts',
  'test/cli/manifest.test.ts',
  'test/daemon/store/s3-shared.test.ts',
]

/** With `--sequence.shuffle`, any order: files that share a process must not depend on each other. */
export class SlowFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { shuffle, seed } = this.ctx.config.sequence
    if (shuffle) return files.sort((a, b) => compare(inOrderOf(seed, a), inOrderOf(seed, b)))
    const rank = ({ moduleId }: TestSpecification) => {
      const index = SLOW.findIndex((file) => moduleId.endsWith(`/${file}`))
      return index === -1 ? SLOW.length : index
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

const inOrderOf = (seed: number, { moduleId }: TestSpecification) =>
  createHash('sha256').update(`${seed} ${moduleId}`).digest('hex')

const compare = (a: string, b: string) => (a < b ? -1 : 1)
