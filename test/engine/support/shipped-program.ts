import { cp } from 'node:fs/promises'
import path from 'node:path'
import { CHECKOUT } from './private-daemon.js'

/** The program of a stager of stagers/, with the libraries beside it as a bootstrap packs them. Returns `directory`. */
export async function shippedProgram(name: string, directory: string): Promise<string> {
  await cp(path.join(CHECKOUT, 'stagers', name), directory, { recursive: true })
  const filter = (file: string) => path.extname(file) === '' || file.endsWith('.sh')
  await cp(path.join(CHECKOUT, 'stagers/lib'), directory, { recursive: true, filter })
  return directory
}
