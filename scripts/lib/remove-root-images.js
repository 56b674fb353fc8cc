// remove-root-images.js STATE_DIR: removes the root images of a node, which are useless without its state.
import { existsSync, readFileSync } from 'node:fs'
import { engine, labelled, list } from './engine-api.js'

const file = `${process.argv[2]}/node-id`
const node = existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
if (node !== '') {
  const images = await list(`/images/json?filters=${labelled(`io.stagerd.node=${node}`)}`)
  for (const { Id } of images) await engine('DELETE', `/images/${Id}?force=1`)
}
