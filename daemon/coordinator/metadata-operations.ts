import type { HttpSession } from './http-session.js'
import { metadataDocument } from './metadata-document.js'
import { changeOf } from './metadata-form.js'
import { readForm } from './stager-form.js'
import type { StagerRequest } from './stager-request.js'

/** `GET /meta` */
export async function readMetadata(request: StagerRequest, session: HttpSession): Promise<void> {
  const document = await session.inOrder(request, (handler) => metadataDocument(handler.metadata()))
  request.succeed(document, 'application/json; charset=utf-8')
}

/** `PUT /meta` */
export async function alterMetadata(request: StagerRequest, session: HttpSession): Promise<void> {
  const change = changeOf(await readForm(request))
  await session.inOrder(request, (handler) => handler.alter(change))
  request.succeed()
}
