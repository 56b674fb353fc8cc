// Exits with 0 when the package whose JSON is on standard input has the data and the metadata of a recipe.
import { readFileSync } from 'node:fs'

const [metadataFile, sha256] = process.argv.slice(2)

const expected = JSON.parse(readFileSync(metadataFile, 'utf8'))
const input = readFileSync(0, 'utf8')
const existing = input.trim() === '' ? {} : JSON.parse(input)

function formatCapabilities(capabilities = []) {
  return capabilities.map(({ type, name }) => `${type}.${name}`)
}

function same(one, other) {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other))
}

function sorted(value) {
  return Array.isArray(value) ? value.toSorted() : Object.entries(value ?? {}).toSorted()
}

process.exitCode =
  existing.resource?.digest === `sha256:${sha256}` &&
  existing.state === 'ready' &&
  same(formatCapabilities(existing.provides), expected.provides) &&
  same(formatCapabilities(existing.dependencies), expected.depends) &&
  same(existing.environment, expected.environment)
    ? 0
    : 1
