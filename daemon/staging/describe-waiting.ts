import { quote } from '../../base/fqn.js'
import type { WaitingNode, WaitReason } from '../model/waiting.js'

/** One sentence: what keeps a staging from running, and where that can be changed. */
export function describeWaiting(reason: WaitReason): string {
  switch (reason.kind) {
    case 'source':
      return 'Its source is not there yet: it is being fetched, or its request waits for its turn.'
    case 'limit':
      return `A policy allows ${reason.limit} at once in ${reason.namespace}, and as many run.`
    case 'no-node':
      return 'No node works with this database now: one that runs begins to within seconds; otherwise, start stagerd at one.'
    case 'labels': {
      const nodes = reason.nodes.map(({ name, labels }) => `${name} (${labels.join(', ') || 'none'})`)
      return `No node has all of the labels ${reason.labels.map(quote).join(', ')}: there are ${nodes.join(', ')}.`
    }
    case 'draining':
      return `Every node that may run it is drained: ${namesOf(reason.nodes)}.`
    case 'full':
      return `Every node that may run it has no free place: ${reason.nodes.map(placesOf).join(', ')}.`
    case 'others':
      return 'Others come before it, for which there is a place.'
  }
}

function placesOf({ name, running, concurrency }: WaitingNode): string {
  return `${name} runs ${running} of ${concurrency}`
}

function namesOf(nodes: readonly WaitingNode[]): string {
  return nodes.map(({ name }) => name).join(', ')
}
