import { randomUUID } from 'node:crypto'
import type { Cause, Staging } from '../../../daemon/model/staging.js'
import type { Receiver } from '../../../daemon/model/webhook.js'
import { observeEndsOfNode, type Ended } from '../../../daemon/store/observed-ledger.js'
import type { PackageRepository } from '../../../daemon/store/repositories.js'
import type { AnswerOf } from '../../../daemon/store/staging-ledger.js'
import { packageDraft, resource, stagerSnapshot } from '../../contract/samples.js'
import { nodeLedgerOf, type StoreOfNode } from '../../support/fleet/node-ledger.js'

/** Stagings of new packages, with every way to end. Each end is told to `ended`. */
export function ledgerSamples(
  store: StoreOfNode & { readonly packages: Pick<PackageRepository, 'create'> },
  ended: Ended,
  { notify = [], ...place }: { readonly notify?: readonly Receiver[]; readonly namespace?: string } = {},
) {
  const opened = nodeLedgerOf(store).then((one) => observeEndsOfNode(one, ended))
  const submitAgain = async (packageUuid: string, pipelineFqn: string, answerOf?: AnswerOf) =>
    (await opened).submit({ packageUuid, pipelineFqn, stagers: [stagerSnapshot('s')], notify }, answerOf)
  const submit = async (pipelineFqn: string): Promise<Staging> => {
    const draft = packageDraft(`p-${randomUUID()}`, { resource: resource(), state: 'uploaded', ...place })
    const { uuid } = await store.packages.create(draft)
    return await submitAgain(uuid, pipelineFqn)
  }
  const admit = async (pipelineFqn: string): Promise<Staging> => {
    await submit(pipelineFqn)
    return (await (await opened).admitNext())!
  }
  return {
    submit,
    submitAgain,
    /** With the result that the package has. */
    answer: async (packageUuid: string, pipelineFqn: string) => {
      const { uuid } = await submitAgain(packageUuid, pipelineFqn)
      const ledger = await opened
      await ledger.admitNext()
      await ledger.answer(uuid, 1)
    },
    answerAtOnce: async (packageUuid: string, pipelineFqn: string) => {
      await submitAgain(packageUuid, pipelineFqn, (_staging, results) => results[0])
    },
    fail: async (pipelineFqn: string, cause: Cause) => {
      const { uuid } = await admit(pipelineFqn)
      const ledger = await opened
      await ledger.fail(uuid, undefined, { cause, stager: undefined, message: 'It failed.', hint: 'Try again.' })
      await ledger.replaceHint(uuid, 'Another hint.')
    },
    cancelQueued: async (pipelineFqn: string) => {
      await (await opened).requestCancel((await submit(pipelineFqn)).uuid)
    },
    cancelRunning: async (pipelineFqn: string) => {
      const { uuid } = await admit(pipelineFqn)
      const ledger = await opened
      await ledger.requestCancel(uuid)
      await ledger.cancel(uuid)
    },
    succeed: async (pipelineFqn: string) => {
      const { uuid, work, step } = await admit(pipelineFqn)
      const launch = randomUUID()
      const ledger = await opened
      await ledger.beginLaunch(uuid, { uuid: launch, stagerFqn: 'job::/acme::s', step })
      await ledger.launchRunning(launch)
      return await ledger.succeed(launch, work)
    },
  }
}
