import type { Cause } from '../../../daemon/model/staging.js'
import type { Lie } from '../support/lying-proxy.js'

/** A real Engine, of which one answer is another one during a staging. Its stager takes a snapshot, and is done. */
export interface LyingEngine extends Lie {
  readonly lie: string
  /** Also in ./scripts/test, which has no time for all of them. */
  readonly always?: true
  /** Whether the launch must have a way out: otherwise it may have the network of an earlier one. */
  readonly egress?: true
  /** The states of the launches, and the cause if the staging fails. */
  readonly must: { readonly launches: readonly string[]; readonly cause?: Cause }
}

const AGAIN = { launches: ['aborted', 'done'] }
const ONCE = { launches: ['done'] }
const CLOSING = { status: 500, body: '{"message":"transport is closing: unavailable"}' }
const inspect = /^GET \/containers\/[0-9a-f]{64}\/json$/

export const LYING_ENGINES: readonly LyingEngine[] = [
  {
    lie: 'says that it has started what it has not',
    route: /^POST \/containers\/[^/]+\/start$/,
    instead: { status: 204 },
    must: AGAIN,
  },
  {
    lie: 'names a process of the host as the first one of a container',
    always: true,
    route: inspect,
    alter: (text) => text.replace(/"Pid":\d+/, `"Pid":${process.pid}`),
    must: AGAIN,
  },
  {
    lie: 'ends its stream of events',
    always: true,
    route: /^GET \/events$/,
    cut: true,
    must: AGAIN,
  },
  {
    lie: 'says that it has removed what it has not',
    always: true,
    route: /^DELETE \/containers\//,
    instead: { status: 204 },
    must: ONCE,
  },
  { lie: 'gives half an id', route: /^POST \/containers\/create$/, alter: (text) => text.slice(0, 40), must: AGAIN },
  { lie: 'is cut off while it gives an id', route: /^POST \/containers\/create$/, alter: () => undefined, must: AGAIN },
  {
    lie: 'gives the id of nothing',
    route: /^POST \/containers\/create$/,
    alter: (text) => text.replace(/[0-9a-f]{64}/, 'beef'.repeat(16)),
    must: { launches: ['aborted'], cause: 'infrastructure' },
  },
  {
    lie: 'fails to start after a pause',
    route: /^POST \/containers\/[^/]+\/start$/,
    afterMs: 500,
    instead: CLOSING,
    must: AGAIN,
  },
  { lie: 'fails to make a network', egress: true, route: /^POST \/networks\/create$/, instead: CLOSING, must: AGAIN },
  {
    lie: 'makes a network, and says that it has failed',
    egress: true,
    route: /^POST \/networks\/create$/,
    alter: () => '{"message":"lost"}',
    must: AGAIN,
  },
  {
    lie: 'says nothing of the end',
    route: /^POST \/containers\/[^/]+\/wait$/,
    instead: { status: 200, body: '{}' },
    must: AGAIN,
  },
  {
    lie: 'says too early that a container has ended, and how',
    route: /^POST \/containers\/[^/]+\/wait$/,
    instead: { status: 200, body: '{"StatusCode":137}' },
    must: ONCE,
  },
  { lie: 'fails to freeze', route: /^POST \/containers\/[^/]+\/pause$/, instead: CLOSING, must: AGAIN },
  { lie: 'fails to thaw', route: /^POST \/containers\/[^/]+\/unpause$/, instead: CLOSING, must: AGAIN },
  { lie: 'fails to remove', route: /^DELETE \/containers\//, instead: CLOSING, must: ONCE },
  { lie: 'fails to remove a network', egress: true, route: /^DELETE \/networks\//, instead: CLOSING, must: ONCE },
  { lie: 'is slow', route: /./, times: Infinity, afterMs: 200, must: ONCE },
  {
    lie: 'never gives a container again',
    route: /^POST \/containers\/create$/,
    times: Infinity,
    instead: CLOSING,
    must: { launches: Array<string>(6).fill('aborted'), cause: 'infrastructure' },
  },
]
