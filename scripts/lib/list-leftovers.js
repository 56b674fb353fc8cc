// Prints one line for each leftover of a stagerd of this checkout. Fails when no Engine answers.
import { findContainers, findMounts, findNetworks, findRules } from './leftovers.js'

const [root] = process.argv.slice(2)

for (const { name } of await findContainers(root)) console.log(`container ${name}`)
for (const { name } of await findNetworks(root)) console.log(`network ${name}`)
for (const path of findMounts(root)) console.log(`mount ${path}`)
for (const { program, rules } of findRules(root)) for (const rule of rules) console.log(`${program} rule ${rule}`)
