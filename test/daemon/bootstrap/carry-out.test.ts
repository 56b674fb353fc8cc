import { describe, expect, test } from 'vitest'
import { Deferred } from '../../../base/deferred.js'
import { CarryOut, type CarryOutParts } from '../../../daemon/bootstrap/carry-out.js'
import type { Item } from '../../../daemon/bootstrap/recipe.js'
import type { Bootstrap } from '../../../daemon/model/bootstrap.js'
import { scriptRecipe } from '../../support/shipped-recipes.js'

const ITEMS = ['node-24', 'node-18', 'ruby-3'].map((name): Item => {
  const recipe = scriptRecipe(name, `runtime.${name.replace(/-.*/, '')}`, '')
  return { recipe, needs: [], digest: name }
})

/** Carries the items out, and gives the names of the packages in the order in which they were created. */
async function order(make: (name: string, create: () => Promise<unknown>) => Promise<unknown>): Promise<string[]> {
  const created: string[] = []
  const maker: CarryOutParts['maker'] = {
    standing: () => Promise.resolve(undefined),
    make: async ({ recipe: { name } }, { inOrder }) => {
      await make(name, () => inOrder(() => Promise.resolve(created.push(name))))
    },
  }
  const nothing = () => Promise.resolve()
  const bootstrap = { uuid: 'b', state: 'running', pipelines: [], items: [] } as unknown as Bootstrap
  const parts = { maker, plan: () => Promise.resolve(ITEMS), save: nothing, say: nothing, progressMs: 60_000 }
  await new CarryOut(bootstrap, parts).run(new AbortController().signal)
  return created
}

describe('packages that provide the same', () => {
  test('are created in the order of the plan, however long each takes to be prepared', async () => {
    const later = new Deferred<void>()
    const created = await order(async (name, create) => {
      if (name === 'node-24') await later.promise
      if (name === 'node-18') later.resolve()
      await create()
    })

    expect(created.filter((name) => name.startsWith('node'))).toEqual(['node-24', 'node-18'])
  })

  test('are created without one that fails', async () => {
    const created = await order(async (name, create) => {
      if (name === 'node-24') throw new Error('no network')
      await create()
    })

    expect(created).toContain('node-18')
  })

  test('do not wait for those that provide something else', async () => {
    const ruby = new Deferred<void>()
    const created = await order(async (name, create) => {
      if (name === 'node-24') await ruby.promise
      await create()
      if (name === 'ruby-3') ruby.resolve()
    })

    expect(created[0]).toBe('ruby-3')
  })
})
