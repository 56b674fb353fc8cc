import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Failure, Staging } from '../../daemon/model/staging.js'
import type { SecretRepository } from '../../daemon/store/secret-repository.js'
import type { RepositoriesUnderTest } from './repositories.js'
import { packageDraft, resource, stagerDraft, stagerSnapshot } from './samples.js'

const FAILURE: Failure = { cause: 'timeout', stager: 'job::/acme::one', message: 'Too slow.', hint: 'Hurry.' }
const sealed = Buffer.from([0, 1, 255])

/** The contract of daemon/store/secret-repository.ts, with the ledger that stores the secrets of stagings. */
export function describeSecrets(
  name: string,
  make: () => Promise<RepositoriesUnderTest & { readonly secrets: SecretRepository }>,
): void {
  describe(name, () => {
    let { packages, stagers, ledger, secrets, close } = {} as Awaited<ReturnType<typeof make>>
    beforeEach(async () => {
      ;({ packages, stagers, ledger, secrets, close } = await make())
    })
    afterEach(() => close())

    describe('of a staging', () => {
      let queued: Staging
      beforeEach(async () => {
        const { uuid: packageUuid } = await packages.create(packageDraft('app', { resource: resource() }))
        const request = { packageUuid, pipelineFqn: 'stagpipe::/acme::p', stagers: [stagerSnapshot('one')] }
        queued = await ledger.submit({ ...request, secrets: { names: ['B', 'A'], sealed } })
      })
      const launch = async () => {
        const { uuid, step } = (await ledger.admitNext())!
        const launched = randomUUID()
        await ledger.beginLaunch(uuid, { uuid: launched, stagerFqn: 'job::/acme::one', step })
        await ledger.launchRunning(launched)
        return launched
      }

      it('are there while it waits and runs, whatever becomes of its launches', async () => {
        expect((await ledger.get(queued.uuid)).secrets).toEqual(['B', 'A'])
        expect(await secrets.ofStaging(queued.uuid)).toEqual(sealed)
        await ledger.abortLaunch(await launch())
        expect(await secrets.ofStaging(queued.uuid)).toEqual(sealed)
        expect((await ledger.list({ state: 'running' }))[0]?.secrets).toEqual(['B', 'A'])
      })

      it.each([
        ['has succeeded', async () => ledger.succeed(await launch(), queued.work)],
        ['has failed', async () => ledger.fail(queued.uuid, await launch(), FAILURE)],
        ['was cancelled in the queue', () => ledger.requestCancel(queued.uuid)],
        [
          'was cancelled while it ran',
          async () => {
            await launch()
            await ledger.requestCancel(queued.uuid)
            return ledger.cancel(queued.uuid)
          },
        ],
      ])('are gone when it %s, but for their names', async (_how, end) => {
        expect((await end()).secrets).toEqual(['B', 'A'])
        expect(await secrets.ofStaging(queued.uuid)).toBeUndefined()
      })

      it('are those of this staging alone', async () => {
        await ledger.requestCancel(queued.uuid)
        const { packageUuid, pipelineFqn, stagers: run } = queued
        const next = await ledger.submit({ packageUuid, pipelineFqn, stagers: run })
        expect(next.secrets).toEqual([])
        expect(await secrets.ofStaging(next.uuid)).toBeUndefined()
        expect(await secrets.ofStaging(randomUUID())).toBeUndefined()
      })
    })

    describe('of a stager', () => {
      let stagerUuid: string
      beforeEach(async () => {
        const program = await packages.create(packageDraft('program'))
        stagerUuid = (await stagers.create(stagerDraft('s', program.uuid))).uuid
      })
      const put = (secret: string, bytes = sealed) => secrets.put({ stagerUuid, name: secret, sealed: bytes })
      const listed = async () => (await secrets.ofStagers([stagerUuid])).map(({ name: each }) => each)

      it('are listed by name, and replaced by one of the same name', async () => {
        await put('b')
        const made = await put('a')
        expect(await secrets.ofStagers([stagerUuid, randomUUID()])).toMatchObject([made, { name: 'b' }])
        await put('b', Buffer.from([7]))
        expect((await secrets.ofStagers([stagerUuid])).map((each) => [...each.sealed])).toEqual([[0, 1, 255], [7]])
      })

      it('are there until they are deleted, or the stager is', async () => {
        await put('a')
        await put('b')
        await stagers.update({ uuid: stagerUuid }, { egress: true })
        expect(await secrets.delete(stagerUuid, 'a')).toMatchObject({ name: 'a' })
        await expect(secrets.delete(stagerUuid, 'a')).rejects.toMatchObject({ code: 'secret-not-found' })
        expect(await listed()).toEqual(['b'])
        await stagers.delete({ uuid: stagerUuid })
        expect(await listed()).toEqual([])
        await expect(put('c')).rejects.toMatchObject({ code: 'stager-not-found' })
      })

      it('are 32 at most', async () => {
        for (let index = 0; index < 32; index++) await put(`n${index}`)
        await expect(put('one-more')).rejects.toMatchObject({ code: 'too-many-secrets' })
        await put('n7')
        expect(await listed()).toHaveLength(32)
      })
    })
  })
}
