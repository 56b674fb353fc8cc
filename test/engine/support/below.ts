import type { TreeSpec } from '../../support/trees.js'

/** The lower layer of snapshot tests: an entry of each kind, to change, replace and remove. */
export const BELOW: TreeSpec = {
  etc: { directory: true, mtime: '1000000000.5' },
  'etc/conf': { file: 'original', mode: 0o640, owner: [0, 42], mtime: '1000000000.987654321' },
  'etc/other': { file: 'other', xattrs: { 'user.note': 'low' } },
  opt: { directory: true, mode: 0o750, owner: [7, 8], mtime: '1000000001.25' },
  'opt/app': { directory: true, mode: 0o2755 },
  'opt/app/one': { file: 'one' },
  'opt/app/two': { file: 'two' },
  'opt/app/deep': { directory: true },
  'opt/app/deep/three': { file: 'three' },
  bin: { symlink: 'usr/bin' },
  linked: { file: 'linked' },
  linked2: { link: 'linked' },
}
