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

/** What an administrator types. Names of settings, files and fields are code in a document, too. */
const COMMAND =
  /^(?:sudo )?(?:(?:stagectl|stagerd|systemctl|journalctl|systemd-\w+|apt-get|dpkg|usermod|groupadd|docker|man|npm|npx|tar|sha256sum) |\.?\.?\/?(?:scripts|images|bin)\/\S+ )/

/** Each command of the blocks that are marked as `sh`, in their order. */
export function blockCommandsIn(markdown: string): readonly string[] {
  return partsOf(markdown).flatMap(({ language, text }) => (language === 'sh' ? splitCommands(text) : []))
}

/** Each command of a document in its order: of its blocks, and those between backquotes in its text. */
export function commandsIn(markdown: string): readonly string[] {
  return partsOf(markdown).flatMap(({ language, text }) => {
    if (language === 'sh') return splitCommands(text)
    return language === undefined ? codeIn(text).filter((code) => COMMAND.test(code)) : []
  })
}

/** What is between backquotes in the text of a document. */
export function codeIn(markdown: string): readonly string[] {
  const text = partsOf(markdown).filter(({ language }) => language === undefined)
  return text.flatMap((part) =>
    [...part.text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code.replaceAll('\n', ' ')),
  )
}

/** Its blocks, each with its language, and the text between them. */
export function partsOf(markdown: string): readonly { readonly language: string | undefined; readonly text: string }[] {
  const parts = markdown.split(/^```(.*)\n([^]*?)^```$/m)
  return parts.flatMap((text, at) => {
    if (at % 3 === 1) return []
    return [{ language: at % 3 === 0 ? undefined : (parts[at - 1] ?? ''), text }]
  })
}

/** The text below a heading of the second level, up to the next one. */
export function sectionOf(markdown: string, heading: string): string {
  const [, after = ''] = markdown.split(`\n## ${heading}\n`)
  return after.split('\n## ')[0] ?? ''
}

/** One command is one line, with what it continues in: after a backslash, or the text up to the END of a here-document. */
function splitCommands(block: string): readonly string[] {
  return [...block.matchAll(/^(?:.*<<'END'\n[^]*?^END$|(?:.*\\\n)*.*)$/gm)]
    .map(([command]) => (command.includes("<<'END'") ? command : command.replace(/(?:^|\s+)# .*$/gm, '')))
    .filter((command) => command.trim() !== '')
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
