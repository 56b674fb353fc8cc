import { parseFqn } from '../../../base/fqn.js'
import type { NodeState } from '../../model/node.js'
import type { Staging } from '../../model/staging.js'
import type { OwnPlaces, Waiting, WaitingNode, WaitReason } from '../../model/waiting.js'
import { fullRealms } from '../../packages/policy/concurrency.js'
import { fits, INTERRUPTED, laneHeads, mayBegin, TO_GO_ON } from './admission.js'
import type { Concurrency } from './concurrency.js'
import { STAGING } from './states.js'
import { sql, type Work } from './work.js'

interface NodeRow {
  readonly uuid: string
  readonly name: string
  readonly labels: string
  readonly state: NodeState
  readonly running: number
  readonly concurrency: number
}

/**
 * Why a queued staging does not run, by the rules of the admission (admission.ts): each is asked as an admission asks it. A node is one
 * with an open term, and admits while it is not drained and runs fewer than it may at once. What only a node knows of itself, as that its
 * Engine is away, this does not.
 */
export function* explainWaiting(staging: Staging, concurrency: Concurrency, own?: OwnPlaces): Work<Waiting> {
  const { sequence, packageFqn, awaitsSource } = staging
  const full = yield* concurrency.full()
  const before = yield* countBefore(sequence, full)
  if (awaitsSource) return { before, reasons: [{ kind: 'source' }] }
  const { namespace } = parseFqn(packageFqn, 'package', '/')
  // The realms with a limit that it is in: one staging of its namespace would fill each of them, if they had one place.
  const limits = yield* concurrency.limits()
  const above = new Set(fullRealms(new Map([...limits].map(([realm]) => [realm, 1])), [namespace]))
  const limited = full
    .filter((realm) => above.has(realm))
    .map((realm): WaitReason => ({ kind: 'limit', namespace: realm, limit: limits.get(realm) ?? 0 }))
  const known = yield* sql.all<NodeRow>(
    `SELECT uuid, name, labels, state, concurrency, (SELECT count(*) FROM stagings
       WHERE stagings.term = terms.number AND stagings.state = ${STAGING.running}) AS running
     FROM nodes JOIN terms ON terms.node = nodes.uuid AND terms.ended_at IS NULL ORDER BY name, uuid`,
  )
  const nodes = known.map((node) => (node.uuid === own?.uuid ? { ...node, concurrency: own.concurrency } : node))
  const fitting = yield* filterByLabels(nodes, (labels) => hasLabelsFor(staging, labels))
  const free = freeOf(fitting)
  if (free.length > 0 && limited.length === 0) {
    const taking = yield* filterByLabels(free, function* (labels) {
      return (yield* nextAt(full, labels)) === sequence
    })
    return { before, reasons: taking.length > 0 ? [] : [{ kind: 'others' }] }
  }
  return { before, reasons: [...limited, ...whyNoPlace(staging, nodes, fitting)] }
}

/** Those that are taken before it where they can run: what was interrupted, and older ones that may begin. */
function* countBefore(sequence: number, full: readonly string[]): Work<number> {
  const { where, values } = mayBegin(full)
  const row = yield* sql.one<{ readonly count: number }>(
    `SELECT (SELECT count(*) FROM stagings WHERE ${where} AND sequence < ?)
       + (SELECT count(*) FROM stagings WHERE ${INTERRUPTED}) AS count`,
    ...values,
    sequence,
  )
  return row?.count ?? 0
}

/** Nodes with the same labels are asked about once. */
function* filterByLabels(
  nodes: readonly NodeRow[],
  condition: (labels: string) => Work<boolean>,
): Work<readonly NodeRow[]> {
  const known = new Map<string, boolean>()
  for (const { labels } of nodes) if (!known.has(labels)) known.set(labels, yield* condition(labels))
  return nodes.filter(({ labels }) => known.get(labels))
}

function* hasLabelsFor({ sequence }: Staging, labels: string): Work<boolean> {
  const found = yield* sql.one(
    `SELECT 1 FROM stagings WHERE sequence = ? AND ${fits('stagings.labels')}`,
    sequence,
    labels,
  )
  return found !== undefined
}

/** The one that an admission for these labels takes. */
function* nextAt(full: readonly string[], labels: string): Work<number | undefined> {
  const toGoOn = yield* sql.one<{ readonly sequence: number }>(
    `SELECT sequence FROM stagings WHERE ${TO_GO_ON} LIMIT 1`,
    labels,
  )
  return toGoOn?.sequence ?? (yield* laneHeads(full, labels))[0]?.oldest
}

function freeOf(nodes: readonly NodeRow[]): readonly NodeRow[] {
  return nodes.filter(({ state, running, concurrency }) => state === 'active' && running < concurrency)
}

/** Nothing if one of those that have the labels has a free place. */
function whyNoPlace(
  { stagers }: Staging,
  nodes: readonly NodeRow[],
  fitting: readonly NodeRow[],
): readonly WaitReason[] {
  if (nodes.length === 0) return [{ kind: 'no-node' }]
  if (fitting.length === 0) {
    const labels = [...new Set(stagers.flatMap((stager) => stager.labels ?? []))].toSorted()
    return [{ kind: 'labels', labels, nodes: nodes.map(decode) }]
  }
  const active = fitting.filter(({ state }) => state === 'active')
  if (active.length === 0) return [{ kind: 'draining', nodes: fitting.map(decode) }]
  return freeOf(active).length > 0 ? [] : [{ kind: 'full', nodes: active.map(decode) }]
}

function decode({ name, labels, running, concurrency }: NodeRow): WaitingNode {
  return { name, labels: JSON.parse(labels) as string[], running, concurrency }
}
