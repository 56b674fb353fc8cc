import type { FqnKind } from '../../base/fqn.js'

export type Right = 'read' | 'write'

/** What a request is about. What its caller may not see is not found. */
export type Target =
  /** Something stored, by its `ref`. */
  | { readonly right: Right; readonly kind: FqnKind; readonly ref: string }
  | { readonly right: Right; readonly kind: 'staging' | 'run' | 'webhook'; readonly ref: string }
  /** Data that was uploaded, by its digest. */
  | { readonly right: 'read'; readonly kind: 'resource'; readonly ref: string }
  /** A namespace as such, as the place for something new. `name`: what that will be called. */
  | { readonly right: Right; readonly kind: 'namespace'; readonly ref: string; readonly name?: string }

/** A request whose parts have been validated. */
export interface Asked {
  readonly params?: unknown
  readonly query?: unknown
  readonly body?: unknown
}

/** Who may use a route. Every route declares it, and guard.ts enforces it. */
export type Access =
  /** No token is asked for. */
  | { readonly to: 'everybody' }
  /** Any token: the answer does not depend on what is stored, or the handler shows only what the caller may see. */
  | { readonly to: 'holders' }
  /** What concerns the node as a whole. */
  | { readonly to: 'administrators' }
  /** A token that has this right, for what the request is about. */
  | { readonly to: 'namespaces'; readonly right: Right; readonly targets: (asked: Asked) => readonly Target[] }
  /** Any token: the answer is a list, which the guard reduces to what the caller may see. */
  | {
      readonly to: 'list'
      readonly targets: (asked: Asked) => readonly Target[]
      readonly namespaceOf: (item: unknown) => string
    }

export const EVERYBODY: Access = { to: 'everybody' }
export const HOLDERS: Access = { to: 'holders' }
export const ADMINISTRATORS: Access = { to: 'administrators' }

/** @param targets of a request as the schema of the route has checked it */
export function reads(targets: (asked: never) => readonly Target[]): Access {
  return { to: 'namespaces', right: 'read', targets: targets as (asked: Asked) => readonly Target[] }
}

/** As `reads`. */
export function writes(targets: (asked: never) => readonly Target[]): Access {
  return { to: 'namespaces', right: 'write', targets: targets as (asked: Asked) => readonly Target[] }
}

/** @param namespaceOf of an item of the answer */
export function lists(
  namespaceOf: (item: never) => string,
  targets: (asked: never) => readonly Target[] = () => [],
): Access {
  return {
    to: 'list',
    targets: targets as (asked: Asked) => readonly Target[],
    namespaceOf: namespaceOf as (item: unknown) => string,
  }
}

/** Of a route with a `ref` in its path. */
export function readsNamed(kind: FqnKind): Access {
  return reads(({ params }: { params: { ref: string } }) => [reading(kind, params.ref)])
}

/** As `readsNamed`. `more`: what else the request is about. */
export function writesNamed(kind: FqnKind, more: (body: never) => readonly Target[] = () => []): Access {
  return writes(({ params, body }: { params: { ref: string }; body: never }) => [
    writing(kind, params.ref),
    ...more(body),
  ])
}

/** Of a route with the UUID of such a thing in its path. */
export function readsByUuid(kind: 'staging'): Access {
  return reads(({ params }: { params: { uuid: string } }) => [{ right: 'read', kind, ref: params.uuid }])
}

export function writesByUuid(kind: 'staging' | 'run' | 'webhook'): Access {
  return writes(({ params }: { params: { uuid: string } }) => [{ right: 'write', kind, ref: params.uuid }])
}

export function reading(kind: FqnKind | 'resource', ref: string): Target {
  return { right: 'read', kind, ref }
}

export function writing(kind: FqnKind, ref: string): Target {
  return { right: 'write', kind, ref }
}

/** Where the request puts something new. */
export function puttingInto(namespace: string, name?: string): Target {
  return { right: 'write', kind: 'namespace', ref: namespace, ...(name === undefined ? {} : { name }) }
}

/** Where the request wants to know what is possible. */
export function lookingInto(namespace: string): Target {
  return { right: 'read', kind: 'namespace', ref: namespace }
}

/** Of what may be missing in a document. */
export function readingAll(kind: FqnKind | 'resource', refs: readonly (string | undefined)[] = []): readonly Target[] {
  return refs.flatMap((ref) => (ref === undefined ? [] : [reading(kind, ref)]))
}

/** Whether the requests of a route that may be used so change something, if they succeed. */
export function changes(access: Access, method: string): boolean {
  switch (access.to) {
    case 'everybody':
    case 'holders':
    case 'list':
      return false
    case 'administrators':
      return method !== 'GET' && method !== 'HEAD'
    case 'namespaces':
      return access.right === 'write'
  }
}
