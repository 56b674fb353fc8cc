import { readdirSync, readFileSync } from 'node:fs'

/** The process ids of this process's children that run the program `name`. */
export function childProcesses(name: string): readonly number[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return []
    try {
      const [, program, parent] = /^\d+ \((.*)\) . (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? []
      return program === name && parent === String(process.pid) ? [Number(pid)] : []
    } catch {
      // The process has ended meanwhile.
      return []
    }
  })
}
