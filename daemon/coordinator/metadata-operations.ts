import type { FastifyReply } from 'fastify'
import type { StagerRequest } from './stager-request.js'
import { metadataDocument } from './metadata-document.js'
import { changeOf } from './metadata-form.js'
import { parseForm } from './stager-form.js'

/** `GET /meta` */
export async function readMetadata(exchange: StagerRequest, reply: FastifyReply): Promise<FastifyReply> {
  const document = await exchange.session.inTurn(exchange, (handler) => metadataDocument(handler.metadata()))
  return reply.type('application/json').send(document)
}

/** `PUT /meta` */
export async function alterMetadata(exchange: StagerRequest): Promise<'OK'> {
  const form = await parseForm(await exchange.readBody(), exchange.contentType, exchange.limits.formFields)
  const change = changeOf(form)
  await exchange.session.inTurn(exchange, (handler) => handler.alter(change))
  return 'OK'
}
