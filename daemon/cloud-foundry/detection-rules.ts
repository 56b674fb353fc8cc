import { RE2JS } from 're2js'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

/**
 * A pattern of files, with what they must show: an expression that some line of some of them must match; `true` where one of
 * them must be there, whatever it contains; `false` where none may be there.
 */
export type RuleTable = Readonly<Record<string, string | boolean>>

/** One rule, ready to be used. */
export interface DetectionRule {
  readonly pattern: string
  readonly isFile: (path: string) => boolean
  readonly demand: boolean | LineExpression
}

interface LineExpression {
  readonly source: string
  readonly matches: (line: string) => boolean
}

export interface Judgement {
  /** Why they do not fit; undefined if they do. Follows "because". */
  readonly objection: string | undefined
  /** The first file that the first rule has found, if it demands one. */
  readonly file: string | undefined
}

const MOST_RULES = 64
const LONGEST = 1024

/**
 * Expressions come from requests too. So they are those of RE2, whose time is linear in the text: without references and
 * without looking around.
 *
 * Throws `BadInput` (`bad-detection`).
 */
export function detectionRules(tables: readonly RuleTable[]): readonly DetectionRule[] {
  const rules = tables.flatMap((table) => Object.entries(table))
  if (rules.length > MOST_RULES)
    throw new BadInput('bad-detection', `A framework has at most ${MOST_RULES} detection rules, not ${rules.length}.`)
  return rules.map(([pattern, demand]) => ({
    pattern,
    isFile: filePattern(pattern),
    demand: typeof demand === 'boolean' ? demand : lineExpression(pattern, demand),
  }))
}

/** @param files texts of all files that the rules name, by their paths from the root of the application */
export async function judge(rules: readonly DetectionRule[], files: ReadonlyMap<string, string>): Promise<Judgement> {
  const paths = [...files.keys()].sort()
  let first: string | undefined
  for (const [index, { pattern, isFile, demand }] of rules.entries()) {
    const there = paths.filter(isFile)
    const [found] = there
    if (demand === false) {
      if (found !== undefined) return { objection: `${quote(found)} is there`, file: undefined }
      continue
    }
    if (found === undefined) return { objection: `no file is named ${quote(pattern)}`, file: undefined }
    const fitting = demand === true ? found : await firstWithLine(demand, there, files)
    if (fitting === undefined)
      return { objection: `no line of ${quote(pattern)} matches ${quote(sourceOf(demand))}`, file: undefined }
    if (index === 0) first = fitting
  }
  return { objection: undefined, file: first }
}

function sourceOf(demand: boolean | LineExpression): string {
  return typeof demand === 'boolean' ? '' : demand.source
}

async function firstWithLine(
  expression: LineExpression,
  paths: readonly string[],
  files: ReadonlyMap<string, string>,
): Promise<string | undefined> {
  for (const path of paths) {
    // Other requests are served between two files.
    await new Promise(setImmediate)
    const lines = (files.get(path) ?? '').split(/\r\n|\r|\n/)
    if (lines.some((line) => expression.matches(line))) return path
  }
  return undefined
}

function lineExpression(pattern: string, source: string): LineExpression {
  const compiled = compile(`The expression of ${quote(pattern)}`, source)
  return { source, matches: (line) => compiled.matcher(line).find() }
}

/** As shells and Ruby have it: `*` and `?` stand for characters of one name, and `**` with a slash for any directories. */
function filePattern(pattern: string): (path: string) => boolean {
  if (pattern === '' || pattern.startsWith('/') || /[[\]{}\\]/.test(pattern))
    throw new BadInput(
      'bad-detection',
      `${quote(pattern)} is not a pattern of files: write a path from the root of the application, in which *, ? and **/ stand for others.`,
    )
  const source = pattern
    .split(/(\*\*\/|\*|\?)/)
    .map((part) => WILDCARDS.get(part) ?? RE2JS.quote(part))
    .join('')
  const compiled = compile('The pattern of files', `^(?s:${source})$`)
  return (path) => compiled.matcher(path).find()
}

const WILDCARDS: ReadonlyMap<string, string> = new Map([
  ['**/', '(?:[^/]+/)*'],
  ['*', '[^/]*'],
  ['?', '[^/]'],
])

function compile(what: string, source: string): RE2JS {
  if (source.length > LONGEST)
    throw new BadInput('bad-detection', `${what} has ${source.length} characters: at most ${LONGEST} are allowed.`)
  try {
    return RE2JS.compile(source)
  } catch (error) {
    if (!(error instanceof Error) || !error.name.startsWith('RE2JS')) throw error
    throw new BadInput(
      'bad-detection',
      `${what}, ${quote(source)}, is not a regular expression of RE2: ${error.message.replace(/^error parsing regexp: /, '')}.`,
    )
  }
}
