import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { Caller } from '../access/caller.js'
import type { Access } from './access.js'
import type { AuditNotes } from './audit-notes.js'
import type { Home } from './homes.js'

declare module 'fastify' {
  // The type parameters are those of Fastify: declarations of one interface must agree in them.
  interface RouteShorthandOptions {
    /** Required: who may use the route. */
    access: Access
    /** Which node answers; default: every one can. */
    home?: Home
  }
  interface FastifyContextConfig {
    /** Of the route; set by the guard. */
    access?: Access
    /** As `access`. */
    home?: Home | undefined
  }
  interface FastifyRequest {
    caller: Caller
    notes: AuditNotes
  }
}

/** Fastify, with handlers typed by the schemas of their routes. */
export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/**
 * Declares the routes of one resource.
 *
 * @param closing aborted when the API closes: a handler that streams ends its stream then
 */
export type Routes = (api: Api, closing: AbortSignal) => void
