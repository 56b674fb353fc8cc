import type { Bootstrap as BootstrapDocument } from '../documents/bootstrap.js'
import type { Bootstrap } from '../model/bootstrap.js'

export function renderBootstrap(found: Bootstrap): BootstrapDocument {
  return {
    uuid: found.uuid,
    state: found.state,
    pipelines: [...found.pipelines],
    items: found.items.map(({ name, state, staging, message }) => ({
      name,
      state,
      ...(staging === undefined ? {} : { staging }),
      ...(message === undefined ? {} : { message }),
    })),
    ...(found.message === undefined ? {} : { message: found.message }),
    started_at: found.startedAt,
    ...(found.endedAt === undefined ? {} : { ended_at: found.endedAt }),
  }
}
