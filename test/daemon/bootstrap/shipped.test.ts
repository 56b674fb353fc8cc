import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { fetchCommands } from '../../../daemon/bootstrap/pack-input.js'
import { planItems, pipelineNames } from '../../../daemon/bootstrap/plan-items.js'
import { readShipped } from '../../../daemon/bootstrap/read-shipped.js'

const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url))
const MIRROR = 'http://mirror.example.org/debian'

describe('what ships with stagerd', () => {
  test('has a recipe for everything that its pipelines need', async () => {
    const recipes = await readShipped(CHECKOUT, MIRROR)
    const items = planItems(recipes, [])

    expect([...pipelineNames(recipes)].sort().join(' ')).toBe(
      'bash compiler docker go java nodejs perl php python ruby static-site',
    )
    for (const [index, { recipe, needs }] of items.entries()) {
      const before = items.slice(0, index).map((item) => item.recipe.fqn)
      expect(before, recipe.fqn).toEqual(expect.arrayContaining([...needs]))
    }
  })

  test('builds the operating system on programs of the host, from the mirror of the settings', async () => {
    const recipes = await readShipped(CHECKOUT, MIRROR)
    const debian = recipes.find(({ fqn }) => fqn === 'package::/apcera/pkg/os::debian-12')

    expect(debian?.kind === 'system' && (await debian.inputs()).trim()).toBe(MIRROR)
    const needs = planItems(recipes, ['compiler']).map(({ recipe }) => recipe.fqn)
    expect(needs).toEqual([
      'package::/apcera/pkg/os::host-tools',
      'job::/apcera/internal::system',
      'package::/apcera/pkg/os::debian-12',
      'job::/apcera::compiler',
    ])
  })

  test('packs the libraries of a stager beside its program', async () => {
    const recipes = await readShipped(CHECKOUT, MIRROR)
    const nodejs = recipes.find(({ fqn }) => fqn === 'job::/apcera::nodejs')

    expect(nodejs?.kind === 'stager' && nodejs.files.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['stage', 'stager.sh', 'application.sh']),
    )
  })

  test('gives a digest for every source, so that a build can verify what it fetches', async () => {
    for (const recipe of await readShipped(CHECKOUT, MIRROR))
      if (recipe.kind === 'script') expect(() => fetchCommands(recipe.script), recipe.fqn).not.toThrow()
  })
})
