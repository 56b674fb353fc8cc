// Leaves the lines of dependencies out of a source map. Node.js keeps what it has read of a map as long as the process
// lives, and it is the lines of one's own code that one looks for in a stack trace.
import { decode, encode } from '@jridgewell/sourcemap-codec'

/**
 * @param {Buffer} contents of a source map, as esbuild writes it
 * @returns {Buffer} of the map of what is not below a `node_modules`. Frames of dependencies have their place in the bundle.
 */
export function ownLines(contents) {
  const { sources, names, mappings, ...rest } = JSON.parse(contents.toString())
  const isOwn = sources.map((source) => !source.split('/').includes('node_modules'))
  const ownSources = indexed()
  const ownNames = indexed()

  let inDependency = true
  const lines = decode(mappings).map((segments) =>
    segments.flatMap((segment) => {
      const [column, source, line, sourceColumn, name] = segment
      if (source !== undefined && isOwn[source]) {
        inDependency = false
        const own = [column, ownSources.at(sources[source]), line, sourceColumn]
        return [name === undefined ? own : [...own, ownNames.at(names[name])]]
      }
      // What follows has no place of its own. Without this mark, it would have that of the last line before it.
      if (inDependency) return []
      inDependency = true
      return [[column]]
    }),
  )
  return Buffer.from(
    JSON.stringify({ ...rest, sources: ownSources.values, names: ownNames.values, mappings: encode(lines) }),
  )
}

/** Gives each value a number, in the order in which they come. */
function indexed() {
  const numbers = new Map()
  return {
    at(value) {
      if (!numbers.has(value)) numbers.set(value, numbers.size)
      return numbers.get(value)
    },
    get values() {
      return [...numbers.keys()]
    },
  }
}
