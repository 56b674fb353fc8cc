import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { installDirectory } from '../../base/installation.js'
import { Output } from '../../cli/display/output.js'
import { buildProgram } from '../../cli/program.js'
import { CommandLine } from '../../cli/session/command-line.js'
import { describeCommand } from '../../daemon/command-line.js'
import { parseBuildScript } from '../../daemon/packages/build-script/parse-build-script.js'
import { parseManifest } from '../../daemon/packages/manifest/parse-manifest.js'
import { listDefinitions } from '../../daemon/settings/settings.js'
import { CapturedIo } from '../cli/support/captured-io.js'
import { blockCommandsIn, codeIn, commandsIn, partsOf } from '../support/document-commands.js'
import { callsOf, unknownIn } from './support/command-lines.js'
import { readDocument, readDocuments } from './support/documents.js'
import { ELSEWHERE, isListed, isOfMachine, whyNoTest, type TestPlace } from './support/elsewhere.js'

/** What runs all commands of a document that are not in `ELSEWHERE`. */
const FOLLOWED: Readonly<Record<string, TestPlace>> = {
  ...Object.fromEntries(
    ['access', 'exchange', 'operations', 'policy', 'results'].map((name) => [
      `docs/${name}.md`,
      { file: 'test/docs/commands.test.ts', title: `every command of docs/${name}.md` },
    ]),
  ),
  'docs/fleet.md': {
    file: 'test/daemon/node-certificate.test.ts',
    title: 'the commands of docs/fleet.md make certificates that nodes take',
  },
  'docs/writing-stagers.md': {
    file: 'test/engine/system/documents.test.ts',
    title: 'every command of docs/writing-stagers.md works, and shows what the document says',
  },
}

/** What runs those for the service and its host. */
const OF_A_MACHINE = {
  documents: ['docs/operations.md', 'docs/access.md'],
  file: 'test/machine/documents.test.ts',
  title: 'every command of the guides for the service and its host',
}

const { scripts: tasks } = JSON.parse(await readFile(path.join(installDirectory(), 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>
}
const documents = await readDocuments()
const names = documents.map(({ name }) => name)

const output = new Output(new CapturedIo('/') as unknown as ConstructorParameters<typeof Output>[0], false)
const stagectl = await buildProgram(new CommandLine(output), [])

/** In others, its name is that of the service. */
const OF_STAGERD = /^(?:sudo )?(?:\S*\/)?stagerd /

describe('a command of a document', () => {
  it.each(names)('is run by a test, if it is in a block of %s', async (name) => {
    const { text } = await readDocument(name)
    const commands = blockCommandsIn(text)
    expect(name in FOLLOWED ? [] : commands.filter((command) => !isListed(command))).toEqual([])
    expect(OF_A_MACHINE.documents.includes(name) ? [] : commands.filter(isOfMachine)).toEqual([])
  })

  it('has its test where the lists say, and is in a document', async () => {
    const places = [...Object.values(FOLLOWED), OF_A_MACHINE, ...ELSEWHERE]
    const faults = await Promise.all(places.map(whyNoTest))
    expect(faults.filter((fault) => fault !== undefined)).toEqual([])
    const all = new Set(documents.flatMap(({ text }) => commandsIn(text)))
    expect(ELSEWHERE.flatMap(({ commands }) => commands).filter((command) => !all.has(command))).toEqual([])
  })

  it.each(names)('has the names and options that there are, also within the text: %s', async (name) => {
    const { text } = await readDocument(name)
    const commands = [...commandsIn(text), ...shortenedIn(text)]
    const faults = commands.flatMap((command) => [
      ...callsOf('stagectl', command).map((argv) => unknownIn(stagectl, argv)),
      ...callsOf('stagerd', OF_STAGERD.test(command) ? command : '').map((argv) =>
        unknownIn(describeCommand('1'), argv),
      ),
    ])
    const ofScripts = await Promise.all(commands.map(unknownOfScript))
    expect([...faults, ...ofScripts].filter((fault) => fault !== undefined)).toEqual([])
  })
})

/** Commands of stagectl are often named without it. */
function shortenedIn(text: string): readonly string[] {
  const groups = stagectl.commands.filter(({ commands }) => commands.length > 0).map((one) => one.name())
  const shortened = new RegExp(`^(?:${groups.join('|')}) [a-z-]+(?: |$)`)
  return codeIn(text)
    .filter((code) => shortened.test(code))
    .map((code) => `stagectl ${code}`)
}

/** What of a command there is not, if a script of the checkout or a task of npm runs it. */
async function unknownOfScript(command: string): Promise<string | undefined> {
  const [, task] = /^(?:sudo )?npm run (?:--silent )?(\S+)/.exec(command) ?? []
  if (task !== undefined && !(task in tasks)) return `package.json has no script ${task}`
  const [, script, rest = ''] = /^(?:sudo )?(?:\.\/)?((?:scripts|images)\/\S+)(.*)$/.exec(command) ?? []
  if (script === undefined) return undefined
  const text = await readFile(path.join(installDirectory(), script), 'utf8').catch(() => undefined)
  if (text === undefined) return `there is no ${script}`
  const unknown = rest.split(' ').find((word) => word.startsWith('--') && !text.includes(word))
  return unknown === undefined ? undefined : `${script} has no option ${unknown}`
}

describe('a document', () => {
  it.each(names)('says of each block what it is: %s', async (name) => {
    const { text } = await readDocument(name)
    expect(partsOf(text).filter(({ language }) => language === '')).toEqual([])
  })

  it.each(names)('names settings that there are: %s', async (name) => {
    const { text } = await readDocument(name)
    const keys = listDefinitions().map(({ key }) => key)
    const named = [...text.matchAll(/\bsettings? `([a-z0-9-]+)`/g)].map(([, key = '']) => key)
    expect(named.filter((key) => !keys.includes(key))).toEqual([])
  })

  it.each(names)('has links that lead somewhere: %s', async (name) => {
    const { text } = await readDocument(name)
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)]
    const faults = links.map(async ([link, target = '', anchor]) => {
      const file = path.join(installDirectory(), target === '' ? name : path.join(path.dirname(name), target))
      if (!(await stat(file).catch(() => undefined))) return link
      return anchor === undefined || anchorsOf(await readFile(file, 'utf8')).includes(anchor) ? undefined : link
    })
    expect((await Promise.all(faults)).filter((fault) => fault !== undefined)).toEqual([])
  })

  it('shows manifests and build scripts that can be parsed', async () => {
    const examples = async (name: string) =>
      partsOf((await readDocument(name)).text).flatMap(({ language, text }) => (language === 'text' ? [text] : []))
    for (const example of await examples('docs/manifest.md'))
      expect(parseManifest(example)).toMatchObject({ name: 'shop' })
    const scripts = (await examples('docs/build-scripts.md')).map((text) => text.replace('6c86ca52…', 'a'.repeat(64)))
    expect(scripts.map((text) => parseBuildScript(text).name)).toEqual(['redis-2.8.24', 'debian-12-slim'])
  })
})

/** As GitHub makes them of headings. */
function anchorsOf(markdown: string): readonly string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}
