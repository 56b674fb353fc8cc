/** A page of the manual, in the language of roff (man(7)). */
export interface Page {
  readonly name: string
  readonly section: number
  readonly version: string
  /** What `apropos` shows: one line. */
  readonly summary: string
  readonly parts: readonly string[]
}

export function renderPage({ name, section, version, summary, parts }: Page): string {
  return [
    `.TH ${name.toUpperCase()} ${section} "" "stagerd ${version}" "stagerd"`,
    '.SH NAME',
    `${escape(name)} \\- ${escape(summary)}`,
    ...parts,
    '',
  ].join('\n')
}

export function heading(text: string): string {
  return `.SH ${escape(text.toUpperCase())}`
}

export function subheading(text: string): string {
  return `.SS ${escape(text)}`
}

/** Each line of the text is a paragraph. */
export function paragraphs(text: string): string {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `.PP\n${escape(line)}`)
    .join('\n')
}

export function bold(text: string): string {
  return `\\fB${escape(text)}\\fR`
}

/** A term, already in the language of roff, and what it means. */
export function entry(term: string, text: string): string {
  return `.TP\n${term}\n${escape(text)}`
}

/** As it is, line by line. */
export function verbatim(text: string): string {
  return `.PP\n.nf\n.RS 4\n${text.split('\n').map(escape).join('\n')}\n.RE\n.fi`
}

/** A line that begins with a dot or an apostrophe would be a request, and a hyphen a typographic one. */
export function escape(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1')
}
