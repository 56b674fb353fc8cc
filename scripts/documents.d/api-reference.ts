/** The parts of an OpenAPI document that the control API uses. */
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

interface Operation {
  readonly operationId: string
  readonly tags?: readonly string[]
  readonly description?: string
  readonly 'x-stagerd-access': string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema: Schema
}

interface Schema {
  readonly title?: string
  readonly type?: string
  readonly description?: string
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
}

const WHO: Readonly<Record<string, string>> = {
  read: 'tokens that may read',
  write: 'tokens that may write',
  administrator: 'administrators',
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete']

/** The control API for people to read, in Markdown: each operation by its tag, then each document once. */
export function apiReference({ paths }: OpenApi): string {
  const operations = Object.entries(paths)
    .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })))
    .filter(({ method }) => METHODS.includes(method))
  const tags = [...new Set(operations.map(({ operation }) => tagOf(operation)))].sort()
  const documents = new Map<string, Schema>()
  for (const { operation } of operations) for (const schema of schemasOf(operation)) collectDocuments(schema, documents)
  return [
    '# The control API',
    '',
    'What `stagectl` sends, and every other client can send, to the control socket or the control address',
    '([access.md](access.md)). This page is made from the OpenAPI document, which a running daemon has at `/openapi.json`.',
    '',
    'Every refusal is a [Problem](#problem), with a stable `code`. Names in paths are URL-encoded.',
    '',
    ...tags.flatMap((tag) => [
      `## ${capital(tag)}`,
      '',
      ...operations.filter(({ operation }) => tagOf(operation) === tag).flatMap(renderOperation),
    ]),
    '## Documents',
    '',
    ...[...documents]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([title, schema]) => [`### ${title}`, '', ...renderDocument(schema)]),
  ].join('\n')
}

function tagOf({ tags = [] }: Operation): string {
  return tags[0] ?? 'other'
}

interface Found {
  readonly path: string
  readonly method: string
  readonly operation: Operation
}

function renderOperation({ path, method, operation }: Found): readonly string[] {
  const { operationId, description, parameters = [], requestBody, responses, 'x-stagerd-access': access } = operation
  const bodies = Object.entries(requestBody?.content ?? {}).map(([type, { schema }]) => bodyText(type, schema))
  const answers = Object.entries(responses)
    .filter(([status]) => !/^[45]/.test(status))
    .map(([status, answer]) => `- Answer ${status}: ${answerText(answer)}`)
  return [
    `### ${method.toUpperCase()} ${path}`,
    '',
    `\`${operationId}\`, for ${WHO[access] ?? access}.${description === undefined ? '' : ` ${sentence(description)}`}`,
    '',
    ...parameters.map(
      (one) =>
        `- ${capital(one.in)} \`${one.name}\`${one.required === true ? ', required' : ''}: ${typeText(one.schema)}${about(one.description)}`,
    ),
    ...(bodies.length === 0 ? [] : [`- Body: ${bodies.join(', or ')}`]),
    ...answers,
    '',
  ]
}

function answerText({
  description,
  content = {},
}: {
  readonly description: string
  readonly content?: Content
}): string {
  const bodies = Object.entries(content).map(([type, { schema }]) => bodyText(type, schema))
  const said = description === 'Default Response' ? [] : [description]
  return [...said, ...bodies].join('; ') || 'nothing'
}

function bodyText(type: string, schema: Schema): string {
  return type === 'application/json' ? typeText(schema) : `\`${type}\``
}

function renderDocument(schema: Schema): readonly string[] {
  const { properties, description, required = [] } = schema
  const lines = description === undefined ? [] : [sentence(description), '']
  if (!properties) return [...lines, `${capital(typeText({ ...schema, title: '' }))}.`, '']
  return [
    ...lines,
    '| field | | |',
    '| --- | --- | --- |',
    ...Object.entries(properties).map(
      ([name, one]) =>
        `| \`${name}\`${required.includes(name) ? '' : ' (optional)'} | ${cell(typeText(one))} | ${cell(one.description ?? '')} |`,
    ),
    '',
  ]
}

/** What a value of it looks like, in a few words; a document by a link. */
function typeText(schema: Schema): string {
  const { title, type, items, anyOf, properties, additionalProperties } = schema
  if (title !== undefined && title !== '') return `[${title}](#${title.toLowerCase()})`
  if (schema.enum) return schema.enum.map((one) => `\`${JSON.stringify(one)}\``).join(' or ')
  if (anyOf) return [...new Set(anyOf.map(typeText))].join(' or ')
  if (type === 'array') return `array of ${typeText(items ?? {})}`
  if (properties)
    return `object with ${Object.entries(properties)
      .map(([name, one]) => `\`${name}\` (${typeText(one)})`)
      .join(', ')}`
  if (typeof additionalProperties === 'object') return `object whose values are ${typeText(additionalProperties)}`
  return `${type ?? 'anything'}${bounds(schema)}`
}

function bounds({ minimum, maximum }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`
  if (minimum !== undefined) return ` of at least ${minimum}`
  return maximum === undefined ? '' : ` of at most ${maximum}`
}

function schemasOf({ requestBody, responses }: Operation): readonly Schema[] {
  const contents = [requestBody?.content, ...Object.values(responses).map(({ content }) => content)]
  return contents.flatMap((content) => Object.values(content ?? {}).map(({ schema }) => schema))
}

function collectDocuments(schema: Schema, documents: Map<string, Schema>): void {
  const { title, items, anyOf = [], properties = {}, additionalProperties } = schema
  if (title !== undefined && !documents.has(title)) documents.set(title, schema)
  const below = [...anyOf, ...Object.values(properties)]
  if (items) below.push(items)
  if (typeof additionalProperties === 'object') below.push(additionalProperties)
  for (const one of below) collectDocuments(one, documents)
}

function about(description: string | undefined): string {
  return description === undefined ? '' : `; ${description}`
}

function sentence(text: string): string {
  return `${capital(text)}${/[.!?]$/.test(text) ? '' : '.'}`
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** A cell of a table is one line without bars. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
