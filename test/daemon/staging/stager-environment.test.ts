import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { STEERING_VARIABLES } from '../../../daemon/packages/steering-variables.js'
import { stagerEnvironment, type EnvironmentSources } from '../../../daemon/staging/stager-environment.js'
import type { FakeContext } from '../../support/fake-isolation.js'
import { call, StagingHarness } from '../../support/staging-harness.js'
import { setEnvironment } from './stager-requests.js'

const NODE = { always: {}, withEgress: {} }
const OWN_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

type Environment = Record<string, string>

/** The environment of a stager, by where each variable is from. */
function environmentOf(from: {
  dependency?: Environment
  root?: Environment
  program?: Environment
  package?: Environment
  own?: Environment
  stager?: Environment
  clean?: boolean
}) {
  const packageOf = (uuid: string, environment: Environment = {}) => ({ uuid, environment })
  const { variables, withheld } = stagerEnvironment(NODE, {
    stagerfs: [packageOf('dependency', from.dependency)],
    root: [packageOf('root', from.root)],
    program: packageOf('program', from.program),
    work: { environment: { ...from.package, ...from.own }, ownVariables: Object.keys(from.own ?? {}) },
    stager: { egress: false, environment: from.stager ?? {}, cleanEnvironment: from.clean ?? false },
  } as unknown as EnvironmentSources)
  return { variables, withheld }
}

/** A name for each pattern of the list. */
const STEERING = STEERING_VARIABLES.flatMap(({ names }) => names).map((name) => name.replace('*', 'X'))

describe('a variable that steers programs', () => {
  it.each([...STEERING, 'LD_PRELOAD', 'BASH_FUNC_ls%%', 'GIT_SSH_COMMAND', 'NPM_CONFIG_SCRIPT-SHELL'])(
    'reaches a stager only from its own side: %s',
    (name) => {
      const value = { [name]: '/evil' }
      const foreign = environmentOf({ dependency: value, package: value })
      expect(foreign.variables).not.toHaveProperty([name])
      expect(foreign.withheld).toEqual([name])
      for (const side of ['root', 'program', 'own', 'stager'] as const) {
        const { variables, withheld } = environmentOf({ dependency: { [name]: '/other' }, [side]: value })
        expect(variables[name], side).toBe('/evil')
        expect(withheld).toEqual([])
      }
    },
  )

  it('is not any other variable of the package and its dependencies, whose paths are unaltered', () => {
    const given = { RAILS_ENV: 'production', JAVA_HOME: '/opt/java', LDAP_URL: 'ldap://a', ENVIRONMENT: 'x' }
    const { variables, withheld } = environmentOf({ dependency: { GREETING: '/opt/hello' }, package: given })
    expect(variables).toMatchObject({ ...given, GREETING: '/opt/hello' })
    expect(withheld).toEqual([])
  })
})

describe('what dependencies set for their own programs', () => {
  const runtime = { RUBYLIB: '/opt/ruby/lib', LD_LIBRARY_PATH: '/opt/ruby/lib', GREETING: 'hello' }

  it('is for programs in /stagerfs, by another name', () => {
    const { variables } = environmentOf({ dependency: runtime })
    expect(variables).toMatchObject({
      STAGERFS_ENV_RUBYLIB: '/opt/ruby/lib',
      STAGERFS_ENV_LD_LIBRARY_PATH: '/opt/ruby/lib',
      GREETING: 'hello',
    })
    expect(variables).not.toHaveProperty('STAGERFS_ENV_GREETING')
    expect(variables).not.toHaveProperty('RUBYLIB')
  })

  it('is not that of the root of the stager, which may have another runtime', () => {
    const { variables } = environmentOf({ dependency: runtime, root: { RUBYLIB: '/usr/lib/ruby' } })
    expect(variables).toMatchObject({ RUBYLIB: '/usr/lib/ruby', STAGERFS_ENV_RUBYLIB: '/opt/ruby/lib' })
  })

  it.each(['own', 'stager'] as const)('is overridden by what the stager has for itself (%s)', (side) => {
    const { variables } = environmentOf({ dependency: runtime, [side]: { RUBYLIB: '/chosen' } })
    expect(variables).toMatchObject({ RUBYLIB: '/chosen' })
    expect(variables).not.toHaveProperty('STAGERFS_ENV_RUBYLIB')
  })

  it('is never what an earlier stager or a user has set in the package', () => {
    const evil = { LD_PRELOAD: '/app/evil.so', STAGERFS_ENV_LD_PRELOAD: '/app/evil.so', RUBYLIB: '/app/evil' }
    const { variables } = environmentOf({ dependency: { ...runtime, STAGERFS_ENV_PERL5OPT: '-Mevil' }, package: evil })
    expect(Object.entries(variables).filter(([, value]) => value.includes('evil'))).toEqual([])
    expect(variables).toMatchObject({ STAGERFS_ENV_RUBYLIB: '/opt/ruby/lib' })
  })

  it('is not in a clean environment', () => {
    const { variables } = environmentOf({ dependency: runtime, clean: true })
    expect(Object.keys(variables).filter((name) => name.startsWith('STAGERFS_ENV_'))).toEqual([])
  })
})

describe('the search path of a stager', () => {
  it('begins with its own directories, and ends with those of the package', () => {
    const path = '/app/evil::.:/opt/more:$PATH'
    expect(environmentOf({ package: { PATH: path } }).variables['PATH']).toBe(`${OWN_PATH}:/app/evil:.:/opt/more`)
    expect(environmentOf({ package: { PATH: path }, stager: { PATH: '/own' } }).variables['PATH']).toBe('/own')
  })

  it('is as a dependency says, and as the stager itself has set it', () => {
    const runtime = { PATH: '/opt/node-20/bin:$PATH' }
    expect(environmentOf({ dependency: runtime }).variables['PATH']).toBe(`/opt/node-20/bin:${OWN_PATH}`)
    expect(environmentOf({ own: { PATH: '/app/venv/bin:$PATH' } }).variables['PATH']).toBe(`/app/venv/bin:${OWN_PATH}`)
  })
})

it('a clean environment has nothing of the package and its dependencies', () => {
  const foreign = { A: '1', PATH: '/evil', LD_PRELOAD: '/evil.so' }
  const own = { root: { ROOT: '/r' }, program: { PROGRAM: 'p' }, stager: { S: 's' } }
  const { variables } = environmentOf({ dependency: foreign, package: foreign, own: foreign, ...own, clean: true })
  expect(variables).toEqual({ PATH: OWN_PATH, LANG: 'C.UTF-8', ROOT: '/r', PROGRAM: 'p', S: 's' })
})

describe('two stagers of a pipeline', () => {
  let harness: StagingHarness
  beforeEach(async () => {
    harness = await StagingHarness.open()
    await harness.addPackage('app', { state: 'uploaded' })
  })
  afterEach(() => harness.close())

  it('each get what they have set themselves, and not what steers programs of the other', async () => {
    const seen: Record<string, (string | undefined)[]> = { first: [], second: [] }
    const stager = (name: string) => async (context: FakeContext) => {
      seen[name]!.push(context.plan.environment['LD_PRELOAD'])
      if (seen[name]!.length === 1) await setEnvironment(context.url, 'LD_PRELOAD', `/${name}.so`)
      await call(context.url, seen[name]!.length === 1 ? 'POST /relaunch' : 'POST /done')
    }
    await harness.addPipeline('pipe', { first: stager('first'), second: stager('second') })
    harness.start()
    const { uuid } = await harness.submit('app', 'pipe')
    const staging = await harness.ended(uuid)
    expect(staging.state).toBe('succeeded')
    expect(seen).toEqual({ first: [undefined, '/first.so'], second: [undefined, '/second.so'] })
    // The application gets it when it runs.
    expect(staging.work).toMatchObject({ environment: { LD_PRELOAD: '/second.so' } })
    expect(staging.work.ownVariables).toBeUndefined()
  })
})
