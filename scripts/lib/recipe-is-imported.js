// Exit code 0 when the package whose JSON is on standard input is what a recipe makes: the same data, the same metadata.
import { readFileSync } from 'node:fs'

const [metadataFile, sha256] = process.argv.slice(2)

const wanted = JSON.parse(readFileSync(metadataFile, 'utf8'))
const input = readFileSync(0, 'utf8')
const there = input.trim() === '' ? {} : JSON.parse(input)

function written(capabilities = []) {
  return capabilities.map(({ type, name }) => `${type}.${name}`)
}

function same(one, other) {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other))
}

function sorted(value) {
  return Array.isArray(value) ? value.toSorted() : Object.entries(value ?? {}).toSorted()
}

process.exitCode =
  there.resource?.digest === `sha256:${sha256}` &&
  there.state === 'ready' &&
  same(written(there.provides), wanted.provides) &&
  same(written(there.dependencies), wanted.depends) &&
  same(there.environment, wanted.environment)
    ? 0
    : 1
