import { quote } from '../../../base/fqn.js'
import { parseSize, SIZE_FORM } from '../../../base/size.js'
import { SMALLEST_LIMITS } from '../../../base/smallest-limits.js'
import type { Value } from '../build-script/document.js'
import { stringOf } from '../build-script/fields.js'
import { DocumentSyntaxError } from '../syntax/syntax-error.js'
import type { Mistakes } from '../syntax/mistakes.js'
import { BlockReader } from './block-reader.js'
import { MAX_CPU, type Resources } from './manifest.js'

const KEYS = ['cpu', 'memory', 'disk_space', 'network_bandwidth'] as const

/** `resources { … }` */
export function readResources(value: Value, mistakes: Mistakes): Resources {
  const block = BlockReader.of(value, 'resources', KEYS, 'resources', mistakes)
  return {
    ...block.read('cpu', 'cpu', cpuOf),
    ...block.read('memory', 'memory_bytes', (size, key) => sizeOf(size, key, SMALLEST_LIMITS.memoryBytes)),
    ...block.read('disk_space', 'disk_bytes', (size, key) => sizeOf(size, key, SMALLEST_LIMITS.diskBytes)),
    ...block.read('network_bandwidth', 'network_bits_per_second', bandwidthOf),
  }
}

/** `500`, `500ms`, `500ms/s` and `50%` are the same. */
function cpuOf(value: Value, key: string): number {
  const text = stringOf(value, key)
  const [, number = '', unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)\s*(%|ms(?:\/s(?:ec)?)?)?$/i.exec(text.trim()) ?? []
  const milliseconds = Math.round(Number(number) * (unit === '%' ? 10 : 1))
  if (number !== '' && milliseconds >= 1 && milliseconds <= MAX_CPU) return milliseconds
  throw new DocumentSyntaxError(
    value.at,
    'milliseconds of a CPU in each second, such as 500, or percent of a CPU, such as 50%, for cpu',
    quote(text),
  )
}

function sizeOf(value: Value, key: string, least: number): number {
  const text = stringOf(value, key)
  const size = parseSize(text)
  if (size === undefined) throw new DocumentSyntaxError(value.at, `${SIZE_FORM}, for ${key}`, quote(text))
  if (size >= least) return size
  throw new DocumentSyntaxError(value.at, `at least ${least / 1024 ** 2}MB for ${key}, with its unit`, quote(text))
}

function bandwidthOf(value: Value, key: string): number {
  const text = stringOf(value, key)
  const [, number, unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)\s*([KMGT]?)bps$/i.exec(text.trim()) ?? []
  if (number !== undefined) return Math.round(Number(number) * 1000 ** ' KMGT'.indexOf(unit.toUpperCase() || ' '))
  throw new DocumentSyntaxError(value.at, `bits in each second, such as 5Mbps, for ${key}`, quote(text))
}
