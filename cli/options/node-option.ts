import { Option } from 'commander'

/** Of a command about one node. */
export interface NodeOptions {
  /** UUID or name. */
  readonly node?: string
}

export function nodeOption(): Option {
  return new Option('--node <name>', 'of this node of the fleet (name or UUID; default: the one that answers)')
}
