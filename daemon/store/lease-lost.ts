import { Conflict } from '../../base/errors.js'

const CODE = 'lease-lost'

export function leaseLost(term: number): Conflict {
  return new Conflict(
    CODE,
    `The term ${term} of this node has ended: what it ran goes on at the next node that has a free slot.`,
  )
}

export function notOwned(staging: string): Conflict {
  return new Conflict(CODE, `The staging ${staging} is not run by this node: it goes on elsewhere.`)
}

export function taskNotOwned(task: string): Conflict {
  return new Conflict(
    CODE,
    `The task ${task} is not one of this node any more: another one has it, or has answered it.`,
  )
}

/** Whether the node must stop what it runs. */
export function isLeaseLost(error: unknown): boolean {
  return error instanceof Conflict && error.code === CODE
}
