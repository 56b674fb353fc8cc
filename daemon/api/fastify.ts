import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { ApiParts } from './parts.js'

/** Fastify, with handlers typed by the schemas of their routes. */
export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

export interface RouteContext {
  readonly parts: ApiParts
  /** Aborted when the API closes: streams that would go on for ever end then. */
  readonly closing: AbortSignal
}

/** Declares the routes of one resource. */
export type Routes = (api: Api, context: RouteContext) => void
