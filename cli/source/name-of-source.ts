import path from 'node:path'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

const ARCHIVE_EXTENSION = /\.(?:tar|tar\.(?:gz|bz2|xz|zst)|tgz|tbz2?|txz|tzst|zip|jar|war|ear)$/i

/** Letters of Latin alphabets that Unicode does not decompose into a letter and a mark. */
const LETTERS: Readonly<Record<string, string>> = {
  ...{ ß: 'ss', ẞ: 'SS', æ: 'ae', Æ: 'AE', œ: 'oe', Œ: 'OE', ø: 'o', Ø: 'O', å: 'a', Å: 'A', ł: 'l', Ł: 'L' },
  ...{ đ: 'd', Đ: 'D', ð: 'd', Ð: 'D', þ: 'th', Þ: 'Th', ħ: 'h', Ħ: 'H', ı: 'i', ŋ: 'ng', Ŋ: 'NG', ŧ: 't', Ŧ: 'T' },
}

export interface SourceName {
  readonly name: string
  /** What it was derived from: the base name without the extension of an archive. */
  readonly stem: string
}

/**
 * Derives a local name from the base name of a directory or archive: accents and ligatures become plain letters, and
 * what a name does not allow becomes a hyphen. Throws `BadInput` (`no-name`) when no character of it can be in a name.
 */
export function nameOfSource(source: string, isDirectory: boolean): SourceName {
  const base = path.basename(source)
  const stem = isDirectory ? base : base.replace(ARCHIVE_EXTENSION, '')
  const name = transliterate(stem)
    .replace(/[^A-Za-z0-9._+@-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 128)
    .replace(/-+$/, '')
  if (name === '')
    throw new BadInput(
      'no-name',
      `No package name can be derived from ${quote(base === '' ? source : base)}, because a name has Latin letters and digits: give one with --name.`,
    )
  return { name, stem }
}

/**
 * The last part of the name of a Docker image, without its tag. Throws `BadInput` (`no-name`) for one that has no name
 * but its id.
 */
export function nameOfImage(reference: string): string {
  const [, name = ''] = /(?:^|\/)([A-Za-z0-9][A-Za-z0-9._-]*)(?::[^/:@]*)?(?:@[^/@]*)?$/.exec(reference) ?? []
  if (name !== '' && !/^sha256:/.test(reference)) return name
  throw new BadInput(
    'no-name',
    `No package name can be derived from the image ${quote(reference)}: give one with --name.`,
  )
}

function transliterate(text: string): string {
  return text
    .normalize('NFC')
    .replace(/[^\0-\x7f]/gu, (letter) => LETTERS[letter] ?? letter)
    .normalize('NFKD')
    .replace(/\p{Mark}+/gu, '')
}
