import type { Command } from 'commander'
import type { GarbageReport, GarbageRequest } from '../../daemon/documents/garbage.js'
import { examples, type CommandLine } from '../session/command-line.js'
import type { Output } from '../display/output.js'
import { formatBytes } from '../display/progress.js'
import { SHORTEN_MIDDLE } from '../display/shorten.js'
import { table } from '../display/table.js'
import { EXIT } from '../session/exit-codes.js'
import { nodeOption, type NodeOptions } from '../options/node-option.js'
import { parseDuration } from '../options/parse-duration.js'
import { parseSize } from '../options/parse-size.js'

interface GcOptions extends NodeOptions {
  readonly dryRun?: boolean
  readonly olderThan?: number
  readonly keepBytes?: number
}

export function addNodeGcCommand(node: Command, commandLine: CommandLine): void {
  node
    .command('gc')
    .description('Remove unused data, layers, root images and caches of stagers, and old stagings with their logs.')
    .option('--dry-run', 'show what would be removed without removing it')
    .option('--older-than <time>', 'remove only what has been unused for this long (default: 7d)', (text) =>
      text === '0' ? 0 : parseDuration(text),
    )
    .option(
      '--keep-bytes <size>',
      'also remove newer data, layers and images, oldest first, until the rest takes no more than this',
      (text) => (text === '0' ? 0 : parseSize(text)),
    )
    .addOption(nodeOption())
    .addHelpText(
      'after',
      examples('node gc --dry-run', 'node gc --older-than 30d', 'node gc --older-than 30d --keep-bytes 10GB'),
    )
    .action(
      commandLine.run(async ({ api, output, signal }, { dryRun, olderThan, keepBytes, node: name }: GcOptions) => {
        const request: GarbageRequest = {
          ...(dryRun === undefined ? {} : { dry_run: dryRun }),
          ...(olderThan === undefined ? {} : { older_than_ms: olderThan }),
          ...(keepBytes === undefined ? {} : { keep_bytes: keepBytes }),
        }
        const report = await api.post<GarbageReport>('/v1/node/gc', request, { query: { node: name }, signal })
        await output.result(report, () => describe(output, report))
        return EXIT.success
      }),
    )
}

function describe(output: Output, { dry_run: dryRun, removed, totals }: GarbageReport): string {
  if (removed.length === 0) return 'There is nothing to remove.'
  const removedRows = removed.map(({ kind, id, bytes, used_at }) => [
    kind,
    id,
    formatBytes(bytes),
    used_at.slice(0, 10),
  ])
  const totalRows = totals
    .filter(({ count }) => count > 0)
    .map(({ kind, count, bytes }) => [kind, String(count), formatBytes(bytes)])
  return [
    table(
      output,
      [{ head: 'KIND' }, { head: 'ID', shorten: SHORTEN_MIDDLE }, { head: 'SIZE' }, { head: 'LAST USE' }],
      removedRows,
      '',
    ),
    '',
    table(output, [{ head: dryRun ? 'WOULD GO' : 'REMOVED' }, { head: 'COUNT' }, { head: 'SIZE' }], totalRows, ''),
  ].join('\n')
}
