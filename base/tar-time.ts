const NANOSECONDS = 1_000_000_000n

/** The first second that does not fit the eleven octal digits of a tar header. It is in the year 2242. */
const FIELD_LIMIT = 8n ** 11n

/** A modification time, as a tar archive holds it. */
export interface TarTime {
  /** For the header: whole seconds since 1970, from 0 to 8^11 - 1. */
  readonly field: number
  /** For the extended header, which overrides the field; undefined where the field is exact. */
  readonly record: string | undefined
}

/**
 * RULE: every archive and every layer keeps each modification time that an extended header can say, to the nanosecond,
 * before 1970 and after 2242. Only who cannot hold a time clamps it to the nearest that it can hold:
 *
 * - the header field, for readers that ignore extended headers (here);
 * - the filesystem, when an archive is unpacked: the kernel does it (ext4 from 1901 to 2446, xfs to 2486 or 2038);
 * - the Engine, for the root of a container: `ENGINE_TIMES`.
 *
 * @param time in nanoseconds since 1970, as in `BigIntStats.mtimeNs`
 */
export function tarTime(time: bigint): TarTime {
  const fraction = ((time % NANOSECONDS) + NANOSECONDS) % NANOSECONDS
  const second = (time - fraction) / NANOSECONDS
  const field = second < 0n ? 0n : second < FIELD_LIMIT ? second : FIELD_LIMIT - 1n
  return { field: Number(field), record: field === second && fraction === 0n ? undefined : decimal(time) }
}

/**
 * In seconds since 1970. An Engine replaces times outside this range by 1970, which is the nearest only for those before:
 * what comes later is clamped before the Engine sees it.
 */
export const ENGINE_TIMES = { earliest: 0, latest: 9_223_372_036 } as const

function decimal(time: bigint): string {
  const size = time < 0n ? -time : time
  const fraction = String(size % NANOSECONDS)
    .padStart(9, '0')
    .replace(/0+$/, '')
  return `${time < 0n ? '-' : ''}${size / NANOSECONDS}${fraction === '' ? '' : `.${fraction}`}`
}
