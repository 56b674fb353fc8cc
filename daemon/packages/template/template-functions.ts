import { quote } from '../../../base/fqn.js'
import { nearest } from '../../../base/nearest.js'
import { DocumentSyntaxError, type TextPosition } from '../syntax/syntax-error.js'
import type { TemplateData, TemplateValue } from './template-values.js'

interface TemplateFunction {
  /** What each argument is, for messages. All of them are texts. */
  readonly parameters: readonly string[]
  /** Undefined: there is nothing of that name. */
  readonly call: (data: TemplateData, argument: string) => TemplateValue | undefined
}

export const FUNCTIONS = {
  uuid: { parameters: [], call: ({ uuid }) => uuid },
  name: { parameters: [], call: ({ name }) => name },
  num_instances: { parameters: [], call: ({ num_instances }) => num_instances },
  cpu: { parameters: [], call: ({ cpu }) => cpu },
  memory: { parameters: [], call: ({ memory }) => memory },
  disk: { parameters: [], call: ({ disk }) => disk },
  port: { parameters: [], call: ({ port }) => port },
  env_map: { parameters: [], call: ({ env }) => new Map(Object.entries(env)) },
  env: {
    parameters: ['the name of a variable'],
    call: ({ env }, name) => (Object.hasOwn(env, name) ? env[name] : ''),
  },
  tags: { parameters: [], call: ({ tags }) => tags },
  has_tag: { parameters: ['the name of a tag'], call: ({ tags }, name) => tags.some(({ Name }) => Name === name) },
  routes: { parameters: [], call: () => [] },
  bindings: { parameters: [], call: () => [] },
  binding_service: { parameters: ['the name of a binding'], call: () => undefined },
} as const satisfies Readonly<Record<string, TemplateFunction>>

export type FunctionName = keyof typeof FUNCTIONS

/** Throws `DocumentSyntaxError` with the names that are known. */
export function assertKnownFunction(name: string, at: TextPosition): asserts name is FunctionName {
  if (Object.hasOwn(FUNCTIONS, name)) return
  const names = Object.keys(FUNCTIONS)
  const near = nearest(name, names)
  const values = `one of the values (${names.join(', ')}), if, range, else or end`
  throw new DocumentSyntaxError(at, near === undefined ? values : `${near}, or another ${values}`, quote(name))
}
