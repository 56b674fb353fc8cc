import type { StagerRequest } from './stager-request.js'
import { singleParameter } from './stager-address.js'
import { StagerRefusal } from './stager-answer.js'
import { parseForm, type StagerForm } from './stager-form.js'

/** More would make each of a million entries expensive. */
const MOST_EXCLUDED = 100

/**
 * `POST /snapshot`, with `directory` as a query parameter or a field of a form. An addition of ours: `exclude`, in the query,
 * as often as there are paths that are to stay as they were.
 */
export async function takeSnapshot(exchange: StagerRequest): Promise<'OK'> {
  const { session, signal } = exchange
  const form = await parseForm(await exchange.readBody(), exchange.contentType, exchange.limits.formFields)
  const directory = directoryOf(exchange.address.query, form)
  const exclude = exchange.address.query.getAll('exclude').filter((path) => path !== '')
  if (exclude.length > MOST_EXCLUDED)
    throw new StagerRefusal(
      499,
      `The query excludes ${exclude.length} paths: at most ${MOST_EXCLUDED} can be excluded.`,
    )
  await session.inTurn(exchange, async (handler) => {
    signal.throwIfAborted()
    await handler.snapshot({ directory, exclude, ...session.freezeHooks }, signal)
  })
  return 'OK'
}

/** An empty value is no filter: clients send the parameter whether they have a directory or not. */
function directoryOf(query: URLSearchParams, form: StagerForm): string | undefined {
  const asked = singleParameter(query, 'directory')
  const filled = form.get('directory')
  if (asked !== undefined && filled !== undefined && asked !== filled)
    throw new StagerRefusal(499, 'The query and the form name different directories: name one.')
  const directory = asked ?? filled
  return directory === '' ? undefined : directory
}
