import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Conflict, NotFound } from '../../base/errors.js'
import type { NodeLedger } from '../../daemon/store/node-ledger.js'
import type {
  PackageRepository,
  PipelineRepository,
  PolicyRepository,
  StagerRepository,
} from '../../daemon/store/repositories.js'
import { describePolicyRepository } from './policy-repository.js'
import { packageDraft, resource, stagerDraft, stagerSnapshot } from './samples.js'

export interface RepositoriesUnderTest {
  readonly packages: PackageRepository
  readonly stagers: StagerRepository
  readonly pipelines: PipelineRepository
  readonly policies: PolicyRepository
  /** Of a term that is never over. */
  readonly ledger: NodeLedger
  readonly close: () => Promise<void>
}

/** The contract of daemon/store/repositories.ts, for every implementation. */
export function describeRepositories(name: string, make: () => Promise<RepositoriesUnderTest>): void {
  describe(name, () => {
    let { packages, stagers, pipelines, policies, ledger, close } = {} as RepositoriesUnderTest
    beforeEach(async () => {
      ;({ packages, stagers, pipelines, policies, ledger, close } = await make())
    })
    afterEach(() => close())

    const names = (list: readonly { readonly name: string }[]) => list.map((each) => each.name)

    describe('packages', () => {
      it('are returned as they were created, with lists in order', async () => {
        const draft = packageDraft('ruby', {
          provides: [
            { type: 'runtime', name: 'ruby-2.0' },
            { type: 'runtime', name: 'ruby' },
            { type: 'file', name: '/usr/bin/ruby' },
          ],
          dependencies: [
            { type: 'package', name: 'z' },
            { type: 'os', name: 'linux' },
          ],
          environment: { PATH: '/opt/ruby/bin:$PATH', constructor: 'x', EMPTY: '' },
          templates: [{ path: 'a', left_delimiter: '<<', right_delimiter: '>>' }],
          resource: resource({ sha1: 'b'.repeat(40), removals: [{ kind: 'opaque', path: 'usr/%20' }] }),
          state: 'ready',
        })
        const made = await packages.create(draft)
        expect(made).toMatchObject(draft)
        expect(await packages.get({ uuid: made.uuid })).toEqual(made)
        expect(await packages.get({ uuid: made.uuid.toUpperCase() })).toEqual(made)
        expect(await packages.get({ namespace: '/acme', name: 'ruby' })).toEqual(made)
        expect(made.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      })

      it('have a state that depends on their data', async () => {
        expect((await packages.create(packageDraft('a'))).state).toBe('created')
        expect((await packages.create(packageDraft('b', { resource: resource() }))).state).toBe('uploaded')
        expect((await packages.create(packageDraft('c', { resource: resource(), state: 'ready' }))).state).toBe('ready')
        expect((await packages.create(packageDraft('d', { state: 'ready' }))).state).toBe('created')
      })

      it('can have a version and a description, which other changes keep', async () => {
        const made = await packages.create(packageDraft('a', { version: '1.2', description: 'Two\nlines' }))
        expect(made).toMatchObject({ version: '1.2', description: 'Two\nlines' })
        expect(await packages.update(made, { environment: { A: '1' } })).toMatchObject({ version: '1.2' })
        expect(await packages.create(packageDraft('b'))).not.toHaveProperty('version')
      })

      it('can take over the content of another package under their own name', async () => {
        const [before, after] = [resource(), resource()]
        const old = await packages.create(packageDraft('ruby', { resource: before, state: 'ready', version: '1' }))
        const provides = [{ type: 'runtime', name: 'ruby' }] as const
        const made = await packages.create(
          packageDraft('scratch', { resource: after, state: 'ready', version: '2', provides, environment: { A: '1' } }),
        )
        await expect(packages.replace(old, old)).rejects.toMatchObject({ code: 'same-package' })
        const replaced = await packages.replace(old, made)
        const { uuid, namespace, name, importOrder } = old
        expect(replaced).toMatchObject({ uuid, namespace, name, importOrder, state: 'ready', version: '2', provides })
        expect(replaced).toMatchObject({ resource: after, environment: { A: '1' } })
        expect(names(await packages.listUsable())).toEqual(['ruby'])
        await expect(packages.get(made)).rejects.toThrow(NotFound)
      })

      it('drop duplicate capabilities', async () => {
        const linux = { type: 'os', name: 'linux' } as const
        const made = await packages.create(packageDraft('a', { provides: [linux, { type: 'os', name: 'x' }, linux] }))
        expect(made.provides).toEqual([linux, { type: 'os', name: 'x' }])
      })

      it('have a unique name within a namespace', async () => {
        await packages.create(packageDraft('a'))
        await expect(packages.create(packageDraft('a'))).rejects.toThrow(Conflict)
        await expect(packages.create(packageDraft('a'))).rejects.toMatchObject({ code: 'package-exists' })
        await packages.create(packageDraft('a', { namespace: '/acme/other' }))
        await packages.create(packageDraft('b'))
        await expect(packages.update({ namespace: '/acme', name: 'b' }, { name: 'a' })).rejects.toThrow(/already/)
        expect((await packages.update({ namespace: '/acme', name: 'b' }, { name: 'b' })).name).toBe('b')
      })

      it('are not found by an unknown name', async () => {
        const nobody = { namespace: '/acme', name: 'nobody' }
        await expect(packages.get(nobody)).rejects.toThrow(NotFound)
        await expect(packages.update(nobody, {})).rejects.toMatchObject({ code: 'package-not-found' })
        await expect(packages.delete({ uuid: stagerSnapshot('x').uuid })).rejects.toThrow(NotFound)
      })

      it('change only in the fields that are given', async () => {
        const made = await packages.create(packageDraft('a', { provides: [{ type: 'os', name: 'x' }] }))
        const changed = await packages.update(made, { environment: { A: '1' }, name: 'b' })
        expect({ ...changed, updatedAt: made.updatedAt }).toEqual({ ...made, environment: { A: '1' }, name: 'b' })
        const again = await packages.update(made, { provides: [], dependencies: [{ type: 'os', name: 'x' }] })
        expect(again).toMatchObject({ provides: [], dependencies: [{ type: 'os', name: 'x' }], name: 'b' })
      })

      it('get data together with a state', async () => {
        const made = await packages.create(packageDraft('a'))
        const first = resource()
        expect(await packages.attach(made, first, 'uploaded')).toMatchObject({ state: 'uploaded', resource: first })
        const second = resource({ sha256: 'b'.repeat(64) })
        expect(await packages.attach(made, second, 'ready')).toMatchObject({ state: 'ready', resource: second })
      })

      it('cannot be changed while they are being staged', async () => {
        const made = await packages.create(packageDraft('a', { resource: resource() }))
        const staging = await ledger.submit({
          packageUuid: made.uuid,
          pipelineFqn: 'p',
          stagers: [stagerSnapshot('s')],
        })
        const busy = { code: 'package-busy' }
        await expect(packages.update(made, { environment: {} })).rejects.toMatchObject(busy)
        await expect(packages.attach(made, resource(), 'ready')).rejects.toMatchObject(busy)
        await expect(packages.delete(made)).rejects.toThrow(new RegExp(staging.uuid))
        await ledger.requestCancel(staging.uuid)
        await packages.delete(made)
      })

      it('are not deleted while they are in use, and the refusal names the user', async () => {
        const made = await packages.create(packageDraft('program', { resource: resource() }))
        const stager = await stagers.create(stagerDraft('s', made.uuid))
        await expect(packages.delete(made)).rejects.toMatchObject({ code: 'package-in-use' })
        await expect(packages.delete(made)).rejects.toThrow('job::/acme::s')
        // A staging has a copy of its stagers, so it still uses the program of a deleted stager.
        const app = await packages.create(packageDraft('app', { resource: resource() }))
        const staging = await ledger.submit({ packageUuid: app.uuid, pipelineFqn: 'p', stagers: [stager] })
        await stagers.delete(stager)
        await expect(packages.delete(made)).rejects.toThrow(new RegExp(staging.uuid))
        await ledger.requestCancel(staging.uuid)
        await packages.delete(made)
        await expect(packages.get(made)).rejects.toThrow(NotFound)
      })

      it('leave the rest of a quota to the next upload, and are refused beyond it', async () => {
        const text = 'on quota::/acme { { total.package.size 100B } }'
        await policies.put({ namespace: '/', name: 'rules', text })
        const sized = (name: string, namespace: string, length: number) =>
          packages.create(packageDraft(name, { namespace, resource: resource({ length }) }))
        await sized('a', '/acme', 10)
        await sized('b', '/acme/pkg', 5)
        await sized('c', '/acmes', 100)
        expect(await packages.remainingQuota('/acme')).toBe(85)
        await expect(sized('d', '/acme', 86)).rejects.toMatchObject({ code: 'package-quota' })
        await sized('d', '/acme', 85)
        expect(await packages.remainingQuota('/acme/pkg')).toBe(0)
      })

      it('are listed by type, by what they provide, and by namespace', async () => {
        const give = (name: string, namespace: string, ...provides: (readonly ['os' | 'runtime', string])[]) =>
          packages.create(
            packageDraft(name, { namespace, provides: provides.map(([type, of]) => ({ type, name: of })) }),
          )
        await give('debian', '/', ['os', 'linux'], ['os', 'debian'])
        await give('node', '/acme', ['runtime', 'node'], ['os', 'tricky'])
        await give('linux-tools', '/acme/pkg', ['runtime', 'linux'])
        await give('other', '/acme-corp')
        expect(names(await packages.list({}))).toEqual(['debian', 'node', 'linux-tools', 'other'])
        expect(names(await packages.list({ type: 'os' }))).toEqual(['debian', 'node'])
        expect(names(await packages.list({ provides: 'linux' }))).toEqual(['debian', 'linux-tools'])
        // Type and name must match the same capability.
        expect(names(await packages.list({ type: 'os', provides: 'node' }))).toEqual([])
        expect(names(await packages.list({ namespace: '/acme' }))).toEqual(['node', 'linux-tools'])
        expect(names(await packages.list({ namespace: '/acme/pkg', type: 'runtime' }))).toEqual(['linux-tools'])
        expect(names(await packages.list({ namespace: '/' }))).toHaveLength(4)
      })

      it('that are usable are always listed in order of import', async () => {
        const ready = { resource: resource(), state: 'ready' } as const
        const [a, b, c] = [
          await packages.create(packageDraft('a', ready)),
          await packages.create(packageDraft('b')),
          await packages.create(packageDraft('c', ready)),
        ]
        const listed = async () => names(await packages.listUsable())
        expect(await listed()).toEqual(['a', 'c'])
        const before = await packages.listUsable()
        expect(await packages.listUsable()).toEqual(before)
        await packages.attach(b, resource(), 'ready')
        expect(await listed()).toEqual(['a', 'b', 'c'])
        await packages.update(c, { name: 'c2' })
        await packages.delete(a)
        expect(await listed()).toEqual(['b', 'c2'])
        await ledger.submit({ packageUuid: b.uuid, pipelineFqn: 'p', stagers: [stagerSnapshot('s')] })
        expect(await listed()).toEqual(['b', 'c2'])
        await packages.attach(c, resource(), 'uploaded')
        expect(await listed()).toEqual(['b'])
        await packages.create(packageDraft('a', ready))
        expect(await listed()).toEqual(['b', 'a'])
        expect(names(before)).toEqual(['a', 'c'])
      })
    })

    describe('stagers', () => {
      let program: string
      beforeEach(async () => {
        program = (await packages.create(packageDraft('program'))).uuid
      })

      it('are returned as they were created, and change only in the fields that are given', async () => {
        const draft = stagerDraft('s', program, {
          additive: true,
          cleanEnvironment: true,
          secrets: ['A', 'B'],
          expects: [{ type: 'runtime', name: 'node' }],
        })
        const made = await stagers.create(draft)
        expect(made).toMatchObject(draft)
        expect(await stagers.get({ uuid: made.uuid })).toEqual(made)
        const changed = await stagers.update(made, { egress: true, name: 't', limits: { ...made.limits, pids: 7 } })
        expect({ ...changed, updatedAt: made.updatedAt }).toEqual({
          ...made,
          egress: true,
          name: 't',
          limits: { ...made.limits, pids: 7 },
        })
        expect(await stagers.get({ namespace: '/acme', name: 't' })).toEqual(changed)
      })

      it('refuse a name that is taken and a package that does not exist', async () => {
        await stagers.create(stagerDraft('s', program))
        const other = await stagers.create(stagerDraft('t', program))
        await expect(stagers.create(stagerDraft('s', program))).rejects.toMatchObject({ code: 'stager-exists' })
        await expect(stagers.update(other, { name: 's' })).rejects.toMatchObject({ code: 'stager-exists' })
        const nowhere = stagerSnapshot('x').uuid
        await expect(stagers.create(stagerDraft('u', nowhere))).rejects.toMatchObject({ code: 'package-not-found' })
        await expect(stagers.update(other, { packageUuid: nowhere })).rejects.toThrow(NotFound)
        await expect(stagers.get({ uuid: nowhere })).rejects.toMatchObject({ code: 'stager-not-found' })
      })

      it('are listed by namespace, and deleted unless a pipeline contains them', async () => {
        const one = await stagers.create(stagerDraft('one', program))
        await stagers.create(stagerDraft('two', program, { namespace: '/acme/sub' }))
        await stagers.create(stagerDraft('three', program, { namespace: '/acmes' }))
        expect(names(await stagers.list({ namespace: '/acme' }))).toEqual(['one', 'two'])
        expect(names(await stagers.list({}))).toHaveLength(3)
        const pipeline = await pipelines.create({ namespace: '/acme', name: 'pipe', stagers: [one.uuid] })
        await expect(stagers.delete(one)).rejects.toMatchObject({ code: 'stager-in-use' })
        await expect(stagers.delete(one)).rejects.toThrow('stagpipe::/acme::pipe')
        await pipelines.delete(pipeline)
        await stagers.delete(one)
        await expect(stagers.delete(one)).rejects.toThrow(NotFound)
      })
    })

    describePolicyRepository(make)

    describe('pipelines', () => {
      let one: string
      let two: string
      beforeEach(async () => {
        const program = await packages.create(packageDraft('program'))
        one = (await stagers.create(stagerDraft('one', program.uuid))).uuid
        two = (await stagers.create(stagerDraft('two', program.uuid))).uuid
      })

      it('keep the order of their stagers, including duplicates', async () => {
        const made = await pipelines.create({ namespace: '/acme', name: 'p', stagers: [two, one, two] })
        expect(made.stagers).toEqual([two, one, two])
        expect(await pipelines.get({ namespace: '/acme', name: 'p' })).toEqual(made)
        expect((await pipelines.update(made, { stagers: [one] })).stagers).toEqual([one])
        expect(names(await pipelines.list({ namespace: '/acme' }))).toEqual(['p'])
        await pipelines.delete(made)
        await expect(pipelines.get(made)).rejects.toMatchObject({ code: 'pipeline-not-found' })
      })

      it('keep their signs, in order, through changes of their stagers, and the other way round', async () => {
        const draft = { namespace: '/acme', name: 'p', stagers: [one] }
        const made = await pipelines.create({ ...draft, signs: ['deno.json', '*.tf', 'charts/'] })
        expect(made.signs).toEqual(['deno.json', '*.tf', 'charts/'])
        expect(await pipelines.get(made)).toEqual(made)
        expect(await pipelines.update(made, { stagers: [two] })).toMatchObject({ stagers: [two], signs: made.signs })
        const changed = await pipelines.update(made, ({ signs }) => ({ signs: signs.slice(1) }))
        expect(changed).toMatchObject({ stagers: [two], signs: ['*.tf', 'charts/'] })
        expect(await pipelines.list({})).toEqual([changed])
        expect(await pipelines.create({ ...draft, name: 'q' })).toMatchObject({ signs: [] })
      })

      it('refuse stagers that do not exist, an empty list, and a name that is taken', async () => {
        const nowhere = stagerSnapshot('x').uuid
        const draft = { namespace: '/acme', name: 'p' }
        await expect(pipelines.create({ ...draft, stagers: [one, nowhere] })).rejects.toThrow(NotFound)
        await expect(pipelines.create({ ...draft, stagers: [] })).rejects.toMatchObject({ code: 'empty-pipeline' })
        const made = await pipelines.create({ ...draft, stagers: [one] })
        await expect(pipelines.create({ ...draft, stagers: [one] })).rejects.toMatchObject({ code: 'pipeline-exists' })
        await expect(pipelines.update(made, { stagers: [two, nowhere] })).rejects.toThrow(NotFound)
        expect((await pipelines.get(made)).stagers).toEqual([one])
      })
    })
  })
}
