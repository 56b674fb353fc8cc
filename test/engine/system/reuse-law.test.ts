import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { lawRun, shrunkForAMinute } from '../../support/law-run.js'
import { damageCaches, DAMAGES, type Damage } from '../support/damage-caches.js'
import { KeepingStagers, type Inputs, type Staged } from '../support/keeping-stager.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { PrivateDaemon } from '../support/private-daemon.js'

/**
 * LAW: A package that is staged again, with results and a cache of before, is the package that a first staging of the
 * same things makes, byte for byte. It is answered from before exactly if all that it is made from is that of an earlier
 * staging.
 *
 * Between the stagings, the daemon is stopped or killed, caches are cleared, damaged, and filled to their quota.
 */

const law = lawRun({ runs: 2, msPerRun: 60_000 })

/** All that a staging of the package is made from. */
interface World extends Inputs {
  /** Which runtime the policy chooses. */
  readonly tool: 'tool-a' | 'tool-b'
  readonly versions: Readonly<Record<'tool-a' | 'tool-b', string>>
  readonly program: string
  readonly stamp: boolean
}

const BEGINNING: World = {
  index: 'one',
  lock: '1',
  mode: undefined,
  tool: 'tool-a',
  versions: { 'tool-a': '1', 'tool-b': '1' },
  program: 'x',
  stamp: false,
}

type Disturbance = 'stop' | 'kill' | 'clear' | 'same policy' | 'collect' | Damage

interface Step {
  readonly change: Partial<World>
  readonly disturbance: Disturbance | undefined
}

const change: fc.Arbitrary<Partial<World>> = fc.oneof(
  fc.constant({}),
  fc.record({ index: fc.constantFrom('one', 'two') }),
  fc.record({ lock: fc.constantFrom('1', '2', '3', '4') }),
  fc.record({ mode: fc.constantFrom(undefined, 'dev') }),
  fc.record({ tool: fc.constantFrom('tool-a' as const, 'tool-b' as const) }),
  fc.record({ versions: fc.record({ 'tool-a': fc.constantFrom('1', '2'), 'tool-b': fc.constantFrom('1', '2') }) }),
  fc.record({ program: fc.constantFrom('x', 'y') }),
  fc.record({ stamp: fc.boolean() }),
)
const step: fc.Arbitrary<Step> = fc.record({
  change,
  disturbance: fc.option(
    fc.constantFrom<Disturbance>(
      ...(['stop', 'kill', 'clear', 'same policy', 'collect'] as const),
      ...(Object.keys(DAMAGES) as Damage[]),
    ),
    { nil: undefined },
  ),
})

/** A launch, an answer from before, and a launch with what was kept. */
const EACH_WAY: Step[] = [
  { change: {}, disturbance: undefined },
  { change: {}, disturbance: undefined },
  { change: { index: 'two' }, disturbance: undefined },
]

let daemon: PrivateDaemon
let stagers: KeepingStagers
beforeAll(async () => {
  // Three sets of modules are more than the quota.
  daemon = await PrivateDaemon.start(['--results', '100', '--stager-cache', '800KB'])
  stagers = await KeepingStagers.add(daemon)
})
afterAll(async () => {
  await daemon.stop()
  await expectNothingLeft(daemon)
  await removeImages(daemon)
  await daemon.close()
})

async function make(world: World): Promise<void> {
  await stagers.choose(world.tool)
  await stagers.giveVersion('tool-a', world.versions['tool-a'])
  await stagers.giveVersion('tool-b', world.versions['tool-b'])
  await stagers.giveProgram(world.program)
  await stagers.stamp(world.stamp)
}

/** Changes nothing that a staging is made from. */
async function disturb(disturbance: Disturbance, { tool }: World): Promise<void> {
  switch (disturbance) {
    case 'stop':
      await daemon.stop()
      {
        await daemon.restart()
        return
      }
    case 'kill':
      await daemon.kill()
      {
        await daemon.restart()
        return
      }
    case 'clear':
      return void (await daemon.ask('DELETE', '/v1/stager-caches'))
    case 'same policy': {
      await stagers.choose(tool, '\n# The same.\n')
      return
    }
    case 'collect':
      return void (await daemon.stagectl('node', 'gc', '--older-than', '0', '--batch'))
    default:
      return void (await damageCaches(daemon.stateDirectory, disturbance, 'both'))
  }
}

/** What a staging sees of the world: of a runtime its files, and not its name. */
const seen = ({ tool, versions, ...world }: World) => JSON.stringify({ ...world, version: versions[tool] })

it('a package that is staged again is what a first staging makes', { timeout: law.timeout }, async () => {
  /** By what is seen. */
  const fresh = new Map<string, Staged>()
  const counts = { reused: 0, restored: 0, launched: 0 }
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 7, maxLength: 9 }),
      shrunkForAMinute(async (steps) => {
        const name = await stagers.newPackage()
        const before = new Set<string>()
        let world = BEGINNING
        for (const { change: changed, disturbance } of steps) {
          world = { ...world, ...changed }
          await make(world)
          if (disturbance !== undefined) await disturb(disturbance, world)
          const submitted = await stagers.submit(name, world)
          const ended = await daemon.ended(submitted.uuid)
          const log = await daemon.text(submitted.uuid)
          const what = seen(world)
          expect(ended.state, log).toBe('succeeded')
          expect(ended.reused !== undefined, `answered from before: ${what}`).toBe(before.has(what))
          if (!fresh.has(what)) fresh.set(what, await stagers.fresh(world))
          expect(await stagers.staged(name), log).toEqual(fresh.get(what))
          before.add(what)
          if (ended.reused === undefined) counts.launched += 1
          else counts.reused += 1
          if (log.includes('the modules are those of the last staging')) counts.restored += 1
        }
      }),
    ),
    { ...law.parameters, ...(law.parameters.path === undefined ? { examples: [[EACH_WAY]] } : {}) },
  )
  // Without these, the law would say nothing.
  if (law.parameters.path === undefined) expect(Object.entries(counts).filter(([, count]) => count === 0)).toEqual([])
})
