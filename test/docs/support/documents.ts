import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { installDirectory } from '../../../base/installation.js'

export interface MarkdownFile {
  /** From the checkout, such as `docs/access.md`. */
  readonly name: string
  readonly text: string
}

/** The documents for people who use, operate or change stagerd. */
export async function readDocuments(): Promise<readonly MarkdownFile[]> {
  const docs = (await readdir(path.join(installDirectory(), 'docs'))).filter((name) => name.endsWith('.md')).sort()
  return await Promise.all(['README.md', 'CONTRIBUTING.md', ...docs.map((name) => `docs/${name}`)].map(readDocument))
}

export async function readDocument(name: string): Promise<MarkdownFile> {
  return { name, text: await readFile(path.join(installDirectory(), name), 'utf8') }
}
