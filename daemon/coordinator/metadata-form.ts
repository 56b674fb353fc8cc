import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { CAPABILITY_TYPES, type Capability, type Template } from '../packages/metadata.js'
import type { MetadataChange } from '../packages/metadata-change.js'
import { StagerRefusal } from './stager-answer.js'
import type { StagerForm } from './stager-form.js'

/**
 * The change that a form of `PUT /meta` requests.
 *
 * Throws `StagerRefusal` 448 for a resource that metadata does not have, and `BadInput` (`bad-change`) for any other
 * field that is missing or invalid.
 */
export function changeOf(form: StagerForm): MetadataChange {
  const resource = form.get('resource')
  switch (resource) {
    case 'environment': {
      const action = actionOf(form)
      const key = required(form, 'key', resource)
      return action === 'add'
        ? { resource, action, key, value: required(form, 'value', resource) }
        : { resource, action, key }
    }
    case 'provides':
    case 'dependencies':
      return { resource, action: actionOf(form), capability: capabilityOf(form, resource) }
    case 'templates':
      return { resource, action: actionOf(form), template: templateOf(form) }
    default:
      throw new StagerRefusal(
        448,
        `${resource === undefined ? 'A form without a resource' : `The resource ${quote(resource)}`} is not supported: ` +
          'resource is one of environment, provides, dependencies, templates.',
      )
  }
}

function actionOf(form: StagerForm): 'add' | 'remove' {
  const action = form.get('action')
  if (action === 'add' || action === 'remove') return action
  throw new BadInput(
    'bad-change',
    `${action === undefined ? 'The form names no action' : `${quote(action)} is not an action`}: action is add or remove.`,
  )
}

function capabilityOf(form: StagerForm, resource: string): Capability {
  const type = required(form, 'type', resource)
  const known = CAPABILITY_TYPES.find((candidate) => candidate === type)
  if (known === undefined)
    throw new BadInput(
      'bad-change',
      `${quote(type)} is not a type of ${resource}: type is one of ${CAPABILITY_TYPES.join(', ')}.`,
    )
  return { type: known, name: required(form, 'name', resource) }
}

function templateOf(form: StagerForm): Template {
  return {
    path: required(form, 'path', 'templates'),
    left_delimiter: form.get('left_delimiter') ?? '{{',
    right_delimiter: form.get('right_delimiter') ?? '}}',
  }
}

function required(form: StagerForm, field: string, resource: string): string {
  const value = form.get(field)
  if (value === undefined)
    throw new BadInput('bad-change', `The form has no ${field}: a change of ${resource} needs it.`)
  return value
}
