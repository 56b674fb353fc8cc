import { quote } from '../../../base/fqn.js'
import type { Value } from '../build-script/document.js'
import { describe, stringOf } from '../build-script/fields.js'
import type { Mistakes } from '../syntax/mistakes.js'
import { DocumentSyntaxError } from '../syntax/syntax-error.js'
import { BlockReader } from './block-reader.js'
import { ROUTE_TYPES, type Manifest, type Port, type Route, type Service, type StagerOptions } from './manifest.js'
import { booleanOf, integerOf, oneOf, textOf } from './read-values.js'

export const JOB_KEYS = [
  'instances',
  'ports',
  'disable_routes',
  'allow_egress',
  'start',
  'services',
  'stager_options',
  'timeout',
  'restart',
  'tags',
  'user',
  'group',
  'ssh',
] as const

/** What only a job needs: checked, and kept as it is. */
export function readJob(block: BlockReader, mistakes: Mistakes): Pick<Manifest, (typeof JOB_KEYS)[number]> {
  const services = (value: Value) => readService(value, mistakes)
  return {
    ...block.read('instances', 'instances', (value, key) => integerOf(value, key, 1, 10_000)),
    ...block.items('ports', (value) => readPort(value, mistakes)),
    ...block.read('disable_routes', 'disable_routes', booleanOf),
    ...block.read('allow_egress', 'allow_egress', booleanOf),
    ...block.read('start', 'start', booleanOf),
    ...block.items('services', services),
    ...block.items('stager_options', (value) => readStagerOptions(value, mistakes)),
    ...block.read('timeout', 'timeout', (value, key) => integerOf(value, key, 1, 86_400)),
    ...block.read('restart', 'restart', textOf),
    ...block.read('tags', 'tags', (value) => readTags(value, mistakes)),
    ...block.read('user', 'user', textOf),
    ...block.read('group', 'group', textOf),
    ...block.read('ssh', 'ssh', booleanOf),
  }
}

function readPort(value: Value, mistakes: Mistakes): Port {
  const block = BlockReader.of(value, 'ports', ['number', 'routes'], 'a port', mistakes)
  block.required('number')
  const { number = 0 } = block.read('number', 'number', (one, key) => integerOf(one, key, 0, 65_535))
  const { routes = [] } = block.items('routes', (route) => readRoute(route, mistakes))
  return { number, routes }
}

function readRoute(value: Value, mistakes: Mistakes): Route {
  const block = BlockReader.of(value, 'routes', ['type', 'endpoint', 'weight'], 'a route', mistakes)
  return {
    type: 'http',
    endpoint: 'auto',
    ...block.read('type', 'type', (one, key) => oneOf(one, key, ROUTE_TYPES)),
    ...block.read('endpoint', 'endpoint', endpointOf),
    ...block.read('weight', 'weight', weightOf),
  }
}

/** A host name, with a port for `tcp`, or a path for `http`. */
function endpointOf(value: Value, key: string): string {
  const text = stringOf(value, key)
  if (/^[A-Za-z0-9*](?:[A-Za-z0-9.*-]{0,252})(?::\d{1,5})?(?:\/[\x21-\x7e]*)?$/.test(text)) return text
  throw new DocumentSyntaxError(value.at, `auto or a host name, such as shop.example.com, for ${key}`, quote(text))
}

function weightOf(value: Value, key: string): number {
  const text = stringOf(value, key)
  const number = Number(text)
  if (/^\d{1,3}(?:\.\d{1,6})?$/.test(text) && number <= 100) return number
  throw new DocumentSyntaxError(value.at, `a number from 0 to 100 for ${key}`, quote(text))
}

function readService(value: Value, mistakes: Mistakes): Service {
  const block = BlockReader.of(value, 'services', ['provider_name', 'type', 'service_name'], 'a service', mistakes)
  const service = {
    ...block.read('provider_name', 'provider_name', textOf),
    ...block.read('type', 'type', textOf),
    ...block.read('service_name', 'service_name', textOf),
  }
  const asked = ['provider_name', 'type', 'service_name'].some((key) => block.fields.get(key))
  if (!asked) throw new DocumentSyntaxError(value.at, 'a provider_name, a type or a service_name', describe(value))
  return service
}

function readStagerOptions(value: Value, mistakes: Mistakes): StagerOptions {
  const block = BlockReader.of(value, 'stager_options', ['stager_name', 'services'], 'options of a stager', mistakes)
  block.required('stager_name')
  const { stager_name = '' } = block.read('stager_name', 'stager_name', textOf)
  const { services = [] } = block.items('services', (service) => readService(service, mistakes))
  return { stager_name, services }
}

/** `{ team: "shop" }`, or `[ "team:shop", "beta" ]`. */
function readTags(value: Value, mistakes: Mistakes): Record<string, string> {
  const tags = new Map<string, string>()
  const add = ({ at }: Value, name: string, text: string) => {
    if (name.trim() === '') throw new DocumentSyntaxError(at, 'a tag with a name', quote(`${name}:${text}`))
    if (tags.has(name)) throw new DocumentSyntaxError(at, 'each tag only once', quote(name))
    tags.set(name, text)
  }
  if (value.kind === 'block')
    for (const { key, value: one } of value.entries) mistakes.attempt(() => add(one, key, stringOf(one, key)))
  else if (value.kind === 'list')
    for (const item of value.items)
      mistakes.attempt(() => {
        const [, name = '', text = ''] = /^([^:]*):?([\s\S]*)$/.exec(textOf(item, 'tags')) ?? []
        add(item, name, text)
      })
  else throw new DocumentSyntaxError(value.at, 'a block in { } or a list in [ ] for tags', describe(value))
  return Object.fromEntries(tags)
}
