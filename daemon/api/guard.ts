import { Refused, StagerdError } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { isAdministrator, mayChange, maySee, mayWrite, NOBODY, type Caller } from '../access/caller.js'
import type { Callers } from '../access/callers.js'
import { changes, type Access, type Target } from './access.js'
import type { Audit } from './audit.js'
import type { Api } from './fastify.js'
import { lingerOnRefusal } from './linger.js'
import type { Places } from './places.js'
import { securityOf } from './security.js'

export interface GuardParts {
  readonly callers: Callers
  readonly places: Pick<Places, 'visible'>
  readonly audit: Pick<Audit, 'loginFailed'>
}

/** Enforces what the routes declare; see access.ts. A route that declares nothing cannot be registered. */
export function guard(api: Api, { callers, places, audit }: GuardParts): void {
  // Both are set for each request, before anything reads them.
  api.decorateRequest('caller')
  api.decorateRequest('notes')

  api.addHook('onRoute', (route) => {
    const access = route.access as Access | undefined
    if (access === undefined) throw new Error(`${String(route.method)} ${route.url} does not declare its access`)
    route.config = { ...route.config, access, home: route.home }
    route.schema = { ...route.schema, ...securityOf(access) }
  })

  // Before the body is read.
  api.addHook('onRequest', async (request, reply) => {
    request.caller = NOBODY
    request.notes = { targets: [] }
    // Without access: a route that does not exist.
    const access = request.routeOptions.config.access ?? { to: 'holders' }
    if (access.to === 'everybody') return
    lingerOnRefusal(request.raw, reply)
    try {
      request.caller = await callers.of(request)
    } catch (error) {
      if (error instanceof StagerdError && ['token-invalid', 'token-expired'].includes(error.code))
        audit.loginFailed(request, error.code)
      throw error
    }
    assertRight(request.caller, access)
  })

  // When the schema has checked what is asked.
  api.addHook('preHandler', async (request) => {
    const { access } = request.routeOptions.config
    if (access === undefined || !('targets' in access)) return
    const { caller } = request
    const targets = access.targets(request)
    if (isAdministrator(caller)) {
      // Nothing is hidden from it. The handler tells what is wrong with a target.
      if (changes(access, request.method))
        request.notes.targets = await Promise.all(changed(targets).map((target) => nameOf(target, places, caller)))
      return
    }
    for (const target of targets) {
      const { name, namespaces } = await places.visible(target, caller)
      if (target.right === 'write') request.notes.targets = [...request.notes.targets, name]
      const may = target.right === 'write' ? mayChange : maySee
      // Data may be that of several namespaces: one is enough to see it.
      if (!namespaces.some((namespace) => may(caller, namespace))) throw namespaceForbidden(caller, target, namespaces)
    }
  })

  api.addHook('preSerialization', (request, _reply, payload, done) => {
    const { access } = request.routeOptions.config
    if (access?.to !== 'list' || isAdministrator(request.caller) || !Array.isArray(payload)) done(null, payload)
    else
      done(
        null,
        payload.filter((item) => maySee(request.caller, access.namespaceOf(item))),
      )
  })
}

function changed(targets: readonly Target[]): readonly Target[] {
  return targets.filter(({ right }) => right === 'write')
}

async function nameOf(target: Target, places: GuardParts['places'], caller: Caller): Promise<string> {
  try {
    return (await places.visible(target, caller)).name
  } catch {
    return target.ref
  }
}

/** Throws `Refused` (`administrator-only`, `token-read-only`). */
function assertRight(caller: Caller, access: Access): void {
  switch (access.to) {
    case 'everybody':
    case 'holders':
    case 'list':
      return
    case 'administrators':
      if (isAdministrator(caller)) return
      throw new Refused(
        'administrator-only',
        `${describe(caller)} may not do this, because it concerns the node as a whole: use a token of an administrator.`,
      )
    case 'namespaces':
      if (access.right === 'read' || mayWrite(caller)) return
      throw new Refused(
        'token-read-only',
        `${describe(caller)} may read only, and this changes something: use a token that may write.`,
      )
  }
}

function namespaceForbidden(caller: Caller, { right }: Target, [namespace = '/']: readonly string[]): Refused {
  const allowed = caller.kind === 'token' ? caller.token.namespaces.join(', ') : ''
  return new Refused(
    'namespace-forbidden',
    `${describe(caller)} may not ${right === 'write' ? 'change' : 'see'} anything in ${quote(namespace)}: it is for ${allowed}, so use a token for that namespace.`,
  )
}

function describe(caller: Caller): string {
  return caller.kind === 'token' ? `The token ${quote(caller.token.name)}` : 'The caller'
}
