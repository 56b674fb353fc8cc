import { CONTENT_RULES } from './content-rules.js'
import { matchesSign } from './sign-pattern.js'
import { STANDARD_PIPELINES, type Sign } from './standard-signs.js'

/** A pipeline that is there. */
export interface KnownPipeline {
  readonly namespace: string
  readonly name: string
  /** Its own signs, as patterns. */
  readonly signs: readonly string[]
}

/** The beginning of a file, or of an entry of a zip. */
export interface ExcerptName {
  readonly name: string
  readonly member?: string
}

export interface Excerpt extends ExcerptName {
  /** Empty for what is not there, and for what cannot be read. */
  readonly text: string
}

export interface DetectionQuestion {
  /** Entries at the top of the source. Directories end with a slash. */
  readonly names: readonly string[]
  readonly excerpts: readonly Excerpt[]
  /** In the order in which they are looked for. Of two with the same local name, the second is hidden. */
  readonly pipelines: readonly KnownPipeline[]
}

export interface Candidate {
  /** Local name. */
  readonly name: string
  /** Undefined for a standard pipeline that is not there. */
  readonly pipeline?: KnownPipeline
  /** Patterns, its own first. */
  readonly signs: readonly string[]
  /** Entries that are signs of it: some of them, where there are many. */
  readonly found: readonly string[]
  readonly fits: boolean
  readonly verdict: 'taken' | 'passed over'
  /** Follows "because". */
  readonly reason: string
}

export interface Detection {
  /** In order: the first that fits is taken. */
  readonly candidates: readonly Candidate[]
  /** Excerpts that could change the answer, and that the question does not have. */
  readonly wanted: readonly ExcerptName[]
}

/** How many files one sign may ask for. The rest of a large directory is not looked at. */
const MAX_EXCERPTS_OF_SIGN = 64

/** How many entries an answer names. */
const MAX_FOUND = 5

/**
 * Finds the pipelines that fit a source, by what lies at its top.
 *
 * ORDER, which is a contract: pipelines whose own signs are there, in the order in which they are given; then the standard
 * pipelines in their order. A pipeline with the name of a standard one has its signs too. Whether a standard pipeline is
 * there does not change the order, so that the same source never becomes something else where one is missing.
 */
export function detect({ names, excerpts, pipelines }: DetectionQuestion): Detection {
  const source: Source = {
    names,
    set: new Set(names),
    texts: new Map(excerpts.map((one) => [keyOf(one), one.text])),
    wanted: new Map(),
  }
  const found = withStandard(pipelines).map((one) => look(source, one))
  const inOrder = found.sort((one, other) => one.rank - other.rank)
  const taken = inOrder.find(({ fits }) => fits)
  return {
    candidates: inOrder.map((one) => candidateOf(one, taken, names.length)),
    wanted: [...source.wanted.values()],
  }
}

interface Source {
  readonly names: readonly string[]
  readonly set: ReadonlySet<string>
  readonly texts: ReadonlyMap<string, string>
  readonly wanted: Map<string, ExcerptName>
}

interface Subject {
  readonly name: string
  readonly pipeline?: KnownPipeline
  readonly own: readonly Sign[]
  readonly standard: readonly Sign[]
  /** Of a standard pipeline; undefined for others. */
  readonly position?: number
  readonly hiddenBy?: KnownPipeline
}

interface Look {
  readonly subject: Subject
  readonly rank: number
  readonly fits: boolean
  readonly found: readonly string[]
  /** Why entries with the name of a sign are none. */
  readonly misses: readonly string[]
}

function withStandard(pipelines: readonly KnownPipeline[]): Subject[] {
  const first = new Map<string, KnownPipeline>()
  for (const one of pipelines) if (!first.has(one.name)) first.set(one.name, one)
  const present = pipelines.map((pipeline): Subject => {
    const position = STANDARD_PIPELINES.findIndex(({ name }) => name === pipeline.name)
    const shown = first.get(pipeline.name)
    return {
      name: pipeline.name,
      pipeline,
      own: pipeline.signs.map((pattern) => ({ pattern })),
      standard: STANDARD_PIPELINES[position]?.signs ?? [],
      ...(position < 0 ? {} : { position }),
      ...(shown === undefined || shown === pipeline ? {} : { hiddenBy: shown }),
    }
  })
  const missing = STANDARD_PIPELINES.flatMap(({ name, signs }, position): Subject[] =>
    first.has(name) ? [] : [{ name, own: [], standard: signs, position }],
  )
  return [...present, ...missing]
}

function look(source: Source, subject: Subject): Look {
  const own = lookAt(source, subject.own)
  const standard = lookAt(source, subject.standard)
  const fits = subject.hiddenBy === undefined && (own.found.length > 0 || standard.found.length > 0)
  return {
    subject,
    rank: rankOf(subject, own.found.length > 0),
    fits,
    found: [...new Set([...own.found, ...standard.found])].slice(0, MAX_FOUND),
    misses: [...own.misses, ...standard.misses],
  }
}

function rankOf({ own, position, hiddenBy }: Subject, ownIsThere: boolean): number {
  if (hiddenBy) return STANDARD_PIPELINES.length + 2
  if (ownIsThere || (own.length > 0 && position === undefined)) return 0
  return position === undefined ? STANDARD_PIPELINES.length + 1 : position + 1
}

function lookAt(source: Source, signs: readonly Sign[]): Pick<Look, 'found' | 'misses'> {
  const found: string[] = []
  const misses: string[] = []
  for (const { pattern, content } of signs) {
    const entries = source.names.filter((name) => matchesSign(pattern, name))
    const rule = content && CONTENT_RULES[content]
    if (!rule?.applies(source.set)) {
      found.push(...entries)
      continue
    }
    // A pipeline that fits already needs no content.
    if (found.length > 0) continue
    for (const name of entries.slice(0, MAX_EXCERPTS_OF_SIGN)) {
      const excerpt = { name, ...(rule.member === undefined ? {} : { member: rule.member }) }
      const text = source.texts.get(keyOf(excerpt))
      if (text === undefined) source.wanted.set(keyOf(excerpt), excerpt)
      if (rule.holds(text ?? '')) found.push(name)
      else misses.push(`${name} ${text === undefined ? 'has not been read' : rule.otherwise}`)
    }
    if (entries.length > MAX_EXCERPTS_OF_SIGN)
      misses.unshift(`only the first ${MAX_EXCERPTS_OF_SIGN} of ${entries.length} ${pattern} are read`)
  }
  return { found, misses }
}

function candidateOf(look: Look, taken: Look | undefined, entries: number): Candidate {
  const { subject, fits, found } = look
  return {
    name: subject.name,
    ...(subject.pipeline ? { pipeline: subject.pipeline } : {}),
    signs: [...subject.own, ...subject.standard].map(({ pattern }) => pattern),
    found,
    fits,
    verdict: look === taken ? 'taken' : 'passed over',
    reason: reasonOf(look, taken, entries),
  }
}

function reasonOf({ subject, fits, found, misses }: Look, taken: Look | undefined, entries: number): string {
  if (subject.hiddenBy) return `${subject.hiddenBy.namespace} has a pipeline of this name`
  if (fits) {
    const there = `${list(found)} ${found.length === 1 ? 'is' : 'are'} there`
    return taken === undefined || taken.subject === subject
      ? there
      : `${taken.subject.name} comes first, although ${there}`
  }
  if (misses.length > 0) return list(misses)
  if (subject.own.length + subject.standard.length === 0) {
    const use = STANDARD_PIPELINES[subject.position ?? -1]?.use
    return use === undefined ? 'it has no signs' : `no directory has its sign: ${use}`
  }
  return entries === 0 ? 'the source is empty' : 'none of its signs is there'
}

function list(texts: readonly string[]): string {
  const shown = texts.length > MAX_FOUND ? [...texts.slice(0, MAX_FOUND - 1), 'others'] : texts
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`
}

function keyOf({ name, member }: ExcerptName): string {
  return JSON.stringify([name, member])
}
