import type { HttpSession } from './http-session.js'
import { singleParameter } from './stager-address.js'
import { StagerRefusal } from './stager-answer.js'
import { readForm, type StagerForm } from './stager-form.js'
import type { StagerRequest } from './stager-request.js'

/** More would make each of a million entries expensive. */
const MAX_EXCLUDED = 100

/**
 * `POST /snapshot`. `directory` is a query parameter or a field of a form. `exclude` is a query parameter that may be
 * repeated; it is an extension of the Stager API, and names paths whose changes are left out.
 */
export async function takeSnapshot(request: StagerRequest, session: HttpSession): Promise<void> {
  const { signal } = request
  const { query } = request.address
  const directory = directoryOf(query, await readForm(request))
  const excluded = query.getAll('exclude').filter((path) => path !== '')
  if (excluded.length > MAX_EXCLUDED)
    throw new StagerRefusal(
      499,
      `The query excludes ${excluded.length} paths: at most ${MAX_EXCLUDED} can be excluded.`,
    )
  await session.inOrder(request, async (handler) => {
    signal.throwIfAborted()
    await handler.snapshot({ directory, exclude: excluded }, signal)
  })
  request.succeed()
}

/** An empty value means everything: clients send the parameter whether they have a directory or not. */
function directoryOf(query: URLSearchParams, form: StagerForm): string | undefined {
  const inQuery = singleParameter(query, 'directory')
  const inForm = form.get('directory')
  if (inQuery !== undefined && inForm !== undefined && inQuery !== inForm)
    throw new StagerRefusal(499, 'The query and the form name different directories: name one.')
  const directory = inQuery ?? inForm
  return directory === '' ? undefined : directory
}
