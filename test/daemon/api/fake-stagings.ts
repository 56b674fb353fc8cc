import type { Staging } from '../../../daemon/model/staging.js'
import type { StagingService, SubmitOptions } from '../../../daemon/staging/staging-service.js'
import type { Ref } from '../../../daemon/store/repositories.js'
import type { SqliteStore } from '../../../daemon/store/sqlite/store.js'

/** Submits and cancels in a real ledger, and never runs a staging. */
export class FakeStagings implements Pick<
  StagingService,
  'submit' | 'cancel' | 'retry' | 'drain' | 'undrain' | 'idle'
> {
  draining = false

  constructor(readonly store: SqliteStore) {}

  async submit(
    packageRef: Ref,
    pipelineRef: Ref,
    { secrets = new Map(), ...options }: SubmitOptions = {},
  ): Promise<Staging> {
    const { packages, pipelines, stagers, ledger } = this.store
    const pipeline = await pipelines.get(pipelineRef)
    return ledger.submit({
      packageUuid: (await packages.get(packageRef)).uuid,
      pipelineFqn: `stagpipe::${pipeline.namespace}::${pipeline.name}`,
      stagers: await Promise.all(pipeline.stagers.map((uuid) => stagers.get({ uuid }))),
      ...options,
      ...(secrets.size > 0 ? { secrets: { names: [...secrets.keys()], sealed: Buffer.from('sealed') } } : {}),
    })
  }

  drain(): void {
    this.draining = true
  }

  undrain(): void {
    this.draining = false
  }

  idle(): Promise<void> {
    return Promise.resolve()
  }

  cancel(uuid: string): Promise<Staging> {
    return this.store.ledger.requestCancel(uuid)
  }

  async retry(uuid: string, options: Pick<SubmitOptions, 'reuse' | 'keepFailedMs'> = {}): Promise<Staging> {
    const { packageUuid, pipelineFqn, stagers, source } = await this.store.ledger.get(uuid)
    return this.store.ledger.submit({ packageUuid, pipelineFqn, stagers, ...options, source })
  }
}
