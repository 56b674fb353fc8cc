// Prints the arguments of `stagectl package from-file` for the package of a recipe: its name, then its options. Each
// ends with a NUL, so that the shell reads them unchanged.
import { readFileSync } from 'node:fs'

const { namespace, name, provides, depends, environment } = JSON.parse(readFileSync(process.argv[2], 'utf8'))

const options = [
  `${namespace}::${name}`,
  ...provides.flatMap((capability) => ['--provides', capability]),
  ...depends.flatMap((capability) => ['--depends-on', capability]),
  ...Object.entries(environment).flatMap(([key, value]) => ['--environment', `${key}=${value}`]),
]
for (const option of options) process.stdout.write(`${option}\0`)
