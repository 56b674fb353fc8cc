// What `stagectl package from-file` wants for the package of a recipe: its full name, then its options, each ended by
// a NUL, so that the shell can take them as they are.
import { readFileSync } from 'node:fs'

const { namespace, name, provides, depends, environment } = JSON.parse(readFileSync(process.argv[2], 'utf8'))

const options = [
  `${namespace}::${name}`,
  ...provides.flatMap((capability) => ['--provides', capability]),
  ...depends.flatMap((capability) => ['--depends-on', capability]),
  ...Object.entries(environment).flatMap(([key, value]) => ['--environment', `${key}=${value}`]),
]
for (const option of options) process.stdout.write(`${option}\0`)
