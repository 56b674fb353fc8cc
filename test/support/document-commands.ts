import { readFile } from 'node:fs/promises'

export interface DocumentBlock {
  /** For a shell. */
  readonly commands: string
  /** What the document shows of their output, line by line: `…` stands for any text. */
  readonly shown: readonly string[]
}

/** The blocks of a document that are marked as `sh`, each with the block marked as `text` that follows it. */
export async function commandsOf(document: string): Promise<readonly DocumentBlock[]> {
  const blocks: { commands: string; shown: readonly string[] }[] = []
  for (const [, language, content = ''] of (await readFile(document, 'utf8')).matchAll(/^```(\w+)\n([^]*?)^```$/gm)) {
    const last = blocks.at(-1)
    if (language === 'sh') blocks.push({ commands: content, shown: [] })
    else if (language === 'text' && last) last.shown = content.trimEnd().split('\n')
  }
  return blocks
}

/** A script that runs the blocks one after the other, ends at the first error, and writes `separator` before each. */
export function scriptOf(blocks: readonly DocumentBlock[], separator: string): string {
  const parts = blocks.map(({ commands }) => `echo '${separator}'\n${commands}`)
  return `set -eu\nsudo() { "$@"; }\n${parts.join('\n')}`
}

/** The lines that the document shows and the output lacks. */
export function missingFrom(output: string, { shown }: DocumentBlock): readonly string[] {
  const lines = output.split('\n')
  return shown.filter((line) => {
    const pattern = line.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    return !lines.some((found) => new RegExp(`^${pattern.join('.*')}$`).test(found))
  })
}
