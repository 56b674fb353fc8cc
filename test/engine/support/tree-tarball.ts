import { execFileSync } from 'node:child_process'
import { makeTree, type TreeSpec } from '../../support/trees.js'
import { OverlayScratch } from './overlay.js'

/** A gzipped tar in which each of `directories` (absolute) contains the same tree. */
export function tarOfCopies(tree: TreeSpec, directories: readonly string[]): Buffer {
  const scratch = new OverlayScratch()
  try {
    const [one, all] = [scratch.path('one'), scratch.path('all')]
    makeTree(one, tree)
    for (const directory of directories)
      execFileSync('sh', ['-c', 'mkdir -p "${2%/*}" && cp -a "$1" "$2"', 'sh', one, all + directory])
    const options = ['--format=pax', '--numeric-owner', '--xattrs', '--sort=name', '--no-recursion']
    const list = execFileSync('find', ['.', '-mindepth', '1', '-print0'], { cwd: all })
    return execFileSync('tar', ['-C', all, ...options, '--null', '-T', '-', '-czf', '-'], {
      input: list,
      maxBuffer: 2 ** 30,
    })
  } finally {
    scratch.remove()
  }
}
