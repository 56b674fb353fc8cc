/** What the model computes and the simulation counts, both for the busiest hour. */
export interface Figures {
  /** Slots that run a staging, of all. */
  readonly busy: number
  /** Nodes without a free slot, of all. */
  readonly fullNodes: number
  /** Looks for a staging a second that find none. */
  readonly looksInVain: number
  /** Processors of the database that are busy. */
  readonly databaseCores: number
  /** Layers that a node has already, of those that it needs. */
  readonly cacheHits: number
  /** From a node's death to the new owner of its stagings, in seconds. */
  readonly takeOverSeconds: number
}

export const FIGURES: { readonly [Name in keyof Figures]: string } = {
  busy: 'slots that are busy',
  fullNodes: 'nodes without a free slot',
  looksInVain: 'looks for a staging that find none, a second',
  databaseCores: 'busy processors of the database',
  cacheHits: 'layers that their node has already',
  takeOverSeconds: 'from the death of a node to the next owner, seconds',
}
