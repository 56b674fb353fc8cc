import type { Access } from './access.js'

/** The way to prove who asks, for OpenAPI. */
export const SECURITY_SCHEMES = {
  token: {
    type: 'http',
    scheme: 'bearer',
    description:
      'A token that `stagectl token create` has made. The TCP address asks for it, the control socket does not: whoever can open that is an administrator.',
  },
} as const

/** What OpenAPI says about who may use a route. */
export function securityOf(access: Access) {
  return {
    security: access.to === 'everybody' ? [] : [{ token: [] }],
    'x-stagerd-access': access.to === 'namespaces' ? access.right : LABELS[access.to],
  }
}

const LABELS = { everybody: 'everybody', holders: 'any token', list: 'any token', administrators: 'administrator' }
