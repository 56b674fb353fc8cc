import type { CatalogueEntry } from '../../daemon/bootstrap/catalogue.js'
import type { Recipe, RecipeOf } from '../../daemon/bootstrap/recipe.js'
import { parseCapability } from '../../daemon/bootstrap/parse-capability.js'
import { parseBuildScript } from '../../daemon/packages/build-script/parse-build-script.js'

/** A stager without files but its program. */
export function stagerRecipe(name: string, entry: Partial<CatalogueEntry> = {}, program = name): RecipeOf<'stager'> {
  const namespace = name === 'system' ? '/apcera/internal' : '/apcera'
  return {
    kind: 'stager',
    fqn: `job::${namespace}::${name}`,
    namespace,
    name,
    entry: {
      name,
      startCommand: `./${name}`,
      additive: false,
      egress: false,
      reproducible: false,
      user: 'runner',
      dependencies: [],
      expects: [],
      runtimes: [],
      limits: {},
      internal: false,
      ...entry,
    },
    files: [{ path: 'stage', executable: true, content: Buffer.from(program) }],
  }
}

/** A build script; what it provides is given as `type.name`. */
export function scriptRecipe(name: string, provides: string, depends: string, build = 'true'): RecipeOf<'script'> {
  const dependencies = depends === '' ? '' : `depends [ { ${depends.replace('.', ': "')}" } ]`
  const text = `name: "${name}"
namespace: "/apcera/pkg/runtimes"
${dependencies}
provides [ { ${provides.replace('.', ': "')}" } ]
build (
  ${build}
)
`
  const namespace = '/apcera/pkg/runtimes'
  const script = parseBuildScript(text)
  return { kind: 'script', fqn: `package::${namespace}::${name}`, namespace, name, text, script, includes: [] }
}

export function systemRecipe(name: string, program = '#!/bin/sh', inputs = ''): RecipeOf<'system'> {
  const namespace = '/apcera/pkg/os'
  const metadata = {
    provides: [parseCapability(`os.${name}`)],
    dependencies: [],
    environment: { PATH: '$PATH:/bin' },
    templates: [],
  }
  const files = [{ path: 'recipe', executable: true, content: Buffer.from(program) }]
  const fqn = `package::${namespace}::${name}`
  return { kind: 'system', fqn, namespace, name, files, library: [], inputs: () => Promise.resolve(inputs), metadata }
}

export const HOST_TOOLS_RECIPE: RecipeOf<'host-tools'> = {
  kind: 'host-tools',
  fqn: 'package::/apcera/pkg/os::host-tools',
  namespace: '/apcera/pkg/os',
  name: 'host-tools',
  metadata: { provides: [parseCapability('os.host-tools')], dependencies: [], environment: {}, templates: [] },
}

/** Pipelines that need nothing. */
export const SHIPPED_PIPELINES: readonly Recipe[] = [stagerRecipe('bash'), stagerRecipe('nodejs')]
