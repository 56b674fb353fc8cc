import { universeOf, topOf, conflictingTopOf } from './resolve-universe.js'
import { PackageIndex } from '../../daemon/packages/resolution/package-index.js'
import { resolve } from '../../daemon/packages/resolve.js'
const p = universeOf(100_000)
const index = new PackageIndex(p)
const time = (what: string, f: () => unknown) => { const t = performance.now(); let r: unknown; try { r = f() } catch (e) { r = (e as Error).message.slice(0, 200) } console.log(what, (performance.now() - t).toFixed(0), 'ms', r) }
const tops = Array.from({ length: 150 }, (_e, n) => topOf(n)).flat()
time('30000 greedy', () => resolve({ subject: 's', dependencies: tops, index }).packages.length)
time('30000 conflict', () => resolve({ subject: 's', dependencies: [...tops, ...conflictingTopOf(0)], index }).packages.length)
time('30000 missing', () => resolve({ subject: 's', dependencies: [...tops, { type: 'os', name: 'gone' }], index }).packages.length)
const r = resolve({ subject: 's', dependencies: conflictingTopOf(0), index })
time('explain 200', () => r.explain().length)
const os = Array.from({ length: 500 }, (_e, n) => ({ ...p[0]!, importOrder: 200_000 + n, uuid: 'o' + n, name: 'o' + n, provides: [{ type: 'os' as const, name: 'linux' }, { type: 'os' as const, name: 'o' + n }] }))
const many = new PackageIndex([...p, ...os])
time('500 systems, the last fits', () => resolve({ subject: 's', dependencies: [...topOf(0), { type: 'os', name: 'o499' }], index: many }).packages.length)
time('500 systems, none fits', () => resolve({ subject: 's', dependencies: [...topOf(0), { type: 'os', name: 'o1' }, { type: 'os', name: 'o2' }], index: many }).packages.length)
