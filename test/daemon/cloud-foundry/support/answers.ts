import type { NatsConnection } from '@nats-io/transport-node'
import type { Controller } from '../../../support/controller.js'

/** What a controller is answered. */
export interface Answer {
  readonly task_id: string
  readonly task_log: string
  readonly error?: string
}

const TIMES = /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] /gm

/** The lines of the log of an answer, without their times. */
export const linesOf = ({ task_log: log }: Pick<Answer, 'task_log'>) => log.replace(TIMES, '').split('\n').slice(0, -1)

/** A request for a Node.js application at this controller. */
export function requestFor(appId: string, controller: Controller, more: object = {}, properties: object = {}): object {
  return {
    app_id: appId,
    download_uri: `${controller.url}/download/${appId}`,
    upload_uri: `${controller.url}/upload/${appId}`,
    properties: {
      services: [],
      framework_info: { name: 'node' },
      resources: { memory: 256, disk: 256, fds: 1024 },
      environment: ['GREETING=hello there'],
      meta: { command: '%VCAP_LOCAL_RUNTIME% server.js' },
      ...properties,
    },
    ...more,
  }
}

/** Requests that wait for their answers for as long as the connection is there, as controllers with a subscription do. */
export class Requester {
  readonly #answers = new Map<string, Answer[]>()

  constructor(
    private readonly client: NatsConnection,
    private readonly controller: Controller,
  ) {
    client.subscribe('answers.>', {
      callback: (_, message) => void this.answersTo(message.subject.slice('answers.'.length)).push(message.json()),
    })
  }

  /** Resolves when the server has the request. The name of the application must be one word. */
  async send(appId: string, request = requestFor(appId, this.controller)): Promise<void> {
    this.client.publish('staging', JSON.stringify(request), { reply: `answers.${appId}` })
    await this.client.flush()
  }

  /** So far. */
  answersTo(appId: string): Answer[] {
    const found = this.#answers.get(appId) ?? []
    this.#answers.set(appId, found)
    return found
  }

  get answered(): number {
    return [...this.#answers.values()].filter(({ length }) => length > 0).length
  }
}
