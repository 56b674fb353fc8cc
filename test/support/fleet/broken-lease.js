// node --import THIS-FILE stagerd.js: a node that does not see that its lease is lost, on a database that does not ask.
//
// It is for a run of test/engine/fleet/fleet.test.ts whose checker must find what such a node does. The programs are changed when they are
// loaded, so that there is no switch for it in stagerd.
import { register } from 'node:module'

/** In which module what is replaced by what. */
const FAULTS = [
  // The term must be open, and own the staging.
  ['daemon/store/sql/ownership.ts', 'if (open === null) throw leaseLost(term);', ''],
  ['daemon/store/sql/ownership.ts', 'if (state === "running" && owner !== term) throw notOwned(staging);', ''],
  // The node stops what it runs.
  ['daemon/staging/held-term.ts', 'lose(why) {', 'lose(why) { return;'],
]

/** A hook of Node.js. Throws if a module is written in other words now. */
export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context)
  if (!url.includes('/dist/programs/') || !loaded.source) return loaded
  let source = String(loaded.source)
  for (const [module, from, to] of FAULTS) {
    // The bundle names its modules.
    if (!source.includes(`// ${module}\n`)) continue
    if (source.split(from).length !== 2) throw new Error(`${url} does not have "${from}" once`)
    source = source.replace(from, to)
  }
  return { ...loaded, source }
}

// Hooks have a thread and a copy of their module of their own.
if (!new URL(import.meta.url).searchParams.has('hooks')) register(`${import.meta.url}?hooks`)
