import { isWithin, SHARED_NAMESPACE } from '../../base/fqn.js'
import type { Token } from '../model/token.js'

/**
 * Who asks the control API. `socket`: somebody who can open the control socket, who controls this host anyway.
 * `nobody`: somebody who has not been asked who it is, on a route for everybody.
 */
export type Caller =
  { readonly kind: 'socket' } | { readonly kind: 'nobody' } | { readonly kind: 'token'; readonly token: Token }

export const SOCKET: Caller = { kind: 'socket' }
export const NOBODY: Caller = { kind: 'nobody' }

export function isAdministrator(caller: Caller): boolean {
  switch (caller.kind) {
    case 'socket':
      return true
    case 'nobody':
      return false
    case 'token':
      return caller.token.access === 'administrator'
  }
}

/** Whether there is any namespace in which it may change something. */
export function mayWrite(caller: Caller): boolean {
  return isAdministrator(caller) || (caller.kind === 'token' && caller.token.access === 'write')
}

export function mayChange(caller: Caller, namespace: string): boolean {
  return mayWrite(caller) && changeable(caller).some((outer) => isWithin(namespace, outer))
}

export function maySee(caller: Caller, namespace: string): boolean {
  return visible(caller).some((outer) => isWithin(namespace, outer))
}

/** The namespaces that it may see, with all below them. What all namespaces can use, all tokens can see. */
export function visible(caller: Caller): readonly string[] {
  return caller.kind === 'token' ? [...changeable(caller), SHARED_NAMESPACE] : changeable(caller)
}

function changeable(caller: Caller): readonly string[] {
  if (isAdministrator(caller)) return ['/']
  return caller.kind === 'token' ? caller.token.namespaces : []
}
