// node --import THIS-FILE stagerd.cjs: a node that does not see that its lease is lost, on a database that does not ask.
//
// It is for a run of test/engine/fleet/fleet.test.ts whose checker must find what such a node does. The program is changed when it is
// compiled, so that there is no switch for it in stagerd.
import vm from 'node:vm'

/** In which module what is replaced by what. The bundle gives a number to a name that another module has. */
const FAULTS = [
  // The term must be open, and own the staging.
  ['daemon/store/sql/ownership.ts', /if \(open\d* === null\) throw leaseLost\(term\);/, ''],
  ['daemon/store/sql/ownership.ts', /if \(state\d* === "running" && owner !== term\) throw notOwned\(staging\);/, ''],
  // The node stops what it runs.
  ['daemon/staging/held-term.ts', /lose\(why\) \{/, 'lose(why) { return;'],
]

/** @param {string} source of any script. Throws if a module is written in other words now. */
function broken(source) {
  return FAULTS.reduce((all, [module, from, to]) => {
    // The bundle names its modules.
    if (!new RegExp(`^ *// ${module}$`, 'm').test(all)) return all
    if (all.split(from).length !== 2) throw new Error(`the program does not have ${from} once`)
    return all.replace(from, to)
  }, source)
}

/** The program compiles its bundle with it (scripts/lib/cached-program.js). Code of what it is without faults is not used. */
vm.Script = class extends vm.Script {
  constructor(source, options) {
    const changed = broken(source)
    super(changed, changed === source ? options : { ...options, cachedData: undefined })
  }
}
