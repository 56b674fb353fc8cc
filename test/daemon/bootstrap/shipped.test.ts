import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { fetchCommands } from '../../../daemon/bootstrap/pack-input.js'
import { planItems, pipelineNames } from '../../../daemon/bootstrap/plan-items.js'
import { formatCapability } from '../../../daemon/bootstrap/parse-capability.js'
import { readShipped } from '../../../daemon/bootstrap/read-shipped.js'
import { providesOf } from '../../../daemon/bootstrap/recipe.js'

const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url))
const MIRROR = 'http://mirror.example.org/debian'

describe('what ships with stagerd', () => {
  test('has a recipe for everything that its pipelines need', async () => {
    const recipes = await readShipped(CHECKOUT, MIRROR)
    const items = planItems(recipes, [])

    expect([...pipelineNames(recipes)].sort().join(' ')).toBe(
      'bash buildpack compiler docker go java nodejs perl php python ruby static-site',
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

  test('packs beside the program of a stager the libraries that it sources, and no others', async () => {
    const recipes = await readShipped(CHECKOUT, MIRROR)
    const filesOf = (name: string) => {
      const recipe = recipes.find((one) => one.kind === 'stager' && one.name === name)
      return recipe?.kind === 'stager' ? recipe.files.map(({ path }) => path) : []
    }

    expect(filesOf('nodejs')).toEqual(['stage', 'application.sh', 'stager.sh', 'versions.sh'])
    // A change of another library does not build everything again that the compiler has built.
    expect(filesOf('compiler')).toEqual(['stage', 'stager.sh'])
    expect(filesOf('system')).toEqual(['stage'])
  })

  test('makes, with each pipeline alone, everything that its stager asks for', async () => {
    const recipes = await readShipped(CHECKOUT, MIRROR)
    for (const recipe of recipes) {
      if (recipe.kind !== 'stager') continue
      const text = (name: string) => recipe.files.find(({ path }) => path === name)?.content.toString() ?? ''
      const own = text('stage')
      const code = own.includes('install_dependencies') ? own + text('application.sh') : own
      const lines = code
        .split('\n')
        .filter((line) => /^\s*(want|relaunch_with|.*\bcompilers\b|if .*; then want )/.test(line))
      const asked = lines.flatMap((line) => line.match(/\b(?:os|runtime|package)\.[a-z][a-z-]*/g) ?? [])
      const runtimes = lines.flatMap((line) => /want_runtime ([a-z-]+)/.exec(line)?.[1] ?? [])
      const made = planItems(recipes, recipe.entry.internal ? [] : [recipe.name])
        .flatMap((item) => providesOf(item.recipe))
        .map(formatCapability)

      expect(made, recipe.fqn).toEqual(expect.arrayContaining([...asked, ...runtimes.map((name) => `runtime.${name}`)]))
      // What it asks for first, and nothing that it might not ask for.
      const [first] = lines.flatMap((line) => {
        const [, runtime] = /^want_runtime "?\$?([a-z-]+)/.exec(line) ?? []
        return runtime === undefined
          ? (/\bwant ([a-z]+\.[a-z-]+)/.exec(line)?.slice(1) ?? [])
          : [`runtime.${runtime === 'runtime' ? recipe.name : runtime}`]
      })
      expect(recipe.entry.expects.map(formatCapability), recipe.fqn).toEqual(first === undefined ? [] : [first])
    }
  })

  test('makes the newest version of a runtime first, which is the one for packages that ask for none', async () => {
    const recipes = await readShipped(CHECKOUT, MIRROR)
    const provided = planItems(recipes, []).map((item) => providesOf(item.recipe).map(({ name }) => name))
    const versions = (name: string) =>
      provided.filter((names) => names.includes(name)).flatMap((names) => names.find((one) => /-\d+$/.test(one)) ?? [])

    expect(versions('node')).toEqual(['node-24', 'node-22', 'node-20', 'node-18'])
    for (const name of ['go', 'java', 'perl', 'php', 'php-fpm', 'python', 'ruby'])
      expect(versions(name)).toHaveLength(1)
  })

  test('gives a digest for every source, so that a build can verify what it fetches', async () => {
    for (const recipe of await readShipped(CHECKOUT, MIRROR))
      if (recipe.kind === 'script') expect(() => fetchCommands(recipe.script), recipe.fqn).not.toThrow()
  })
})
