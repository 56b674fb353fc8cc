import { isUuid } from '../../base/identifiers.js'
import type { StoredObject } from '../store/s3/bucket.js'

/**
 * The objects of one log:
 *
 *   logs/<staging>/<writer>-<first>    lines from number `first` on
 *
 * `writer` tells the writers of a log apart, and puts them in order (`partsBy`, `wholeBy`). What a later one has written counts
 * from its first line on: lines of an earlier writer with these numbers come from a node that went on when it should not, and are
 * left out. So one object that begins with line 1 replaces all others of earlier writers at once.
 *
 * An object that is complete, and with it the log, ends with `END`.
 */
export interface Segment {
  readonly key: string
  readonly writer: number
  readonly first: number
  readonly etag: string
  readonly length: number
}

/** What all names begin with. */
export const LOGS = 'logs/'
/** No line of a log: whoever reads lines leaves it out. */
export const END = '{"end":true}\n'

const KEY = /^logs\/([0-9a-f-]{36})\/([0-9]{6,})-([0-9]{15})$/

/**
 * The number in the names of the parts of a writer. Its own is given once, by the database: so no two nodes ever write an object of
 * the same name, and whatever a node sends late replaces nothing of another one.
 *
 * @param writer from 1; 0 for a log that was written elsewhere, and is stored as a whole
 */
export const partsBy = (writer: number) => 2 * writer
/** The number in the name of one object in place of all parts, by the same writer. */
export const wholeBy = (writer: number) => 2 * writer + 1

export const logPrefix = (staging: string) => `${LOGS}${staging}/`
export const segmentKey = (staging: string, writer: number, first: number) =>
  `${logPrefix(staging)}${String(writer).padStart(6, '0')}-${String(first).padStart(15, '0')}`

/** Undefined for an object that is no part of a log. */
export function parseSegment({
  key,
  etag,
  length,
}: StoredObject): (Segment & { readonly staging: string }) | undefined {
  const [, staging = '', writer, first] = KEY.exec(key) ?? []
  if (!isUuid(staging)) return undefined
  return { staging, key, writer: Number(writer), first: Number(first), etag, length }
}

/** The parts of a log in their order, each with the number before which its lines count. */
export function partsOf(
  segments: readonly Segment[],
): readonly (Segment & { readonly before: number; readonly next: number })[] {
  const firstOf = (writer: number) =>
    Math.min(...segments.filter((one) => one.writer === writer).map(({ first }) => first))
  const starts = [...new Set(segments.map(({ writer }) => writer))].map((writer) => ({
    writer,
    first: firstOf(writer),
  }))
  const limitOf = (writer: number) =>
    Math.min(Infinity, ...starts.filter((one) => one.writer > writer).map(({ first }) => first))
  const parts = segments
    .map((one) => ({ ...one, before: limitOf(one.writer) }))
    .filter(({ first, before }) => first < before)
    .sort((a, b) => a.first - b.first || a.writer - b.writer)
  return parts.map((one, index) => ({ ...one, next: parts[index + 1]?.first ?? Infinity }))
}
