import { connect, type NatsConnection } from '@nats-io/transport-node'
import { CONTENT, furnish } from '../../../docs/support/furnish.js'
import { Controller } from '../../../support/controller.js'
import { DaemonInProcess } from '../../../support/daemon-in-process.js'
import { NatsServer } from '../../../support/nats-server.js'
import { until } from '../../../support/until.js'
import { zipOf } from '../../../support/zip-builder.js'
import { requestFor, type Answer } from './answers.js'

/** A daemon in this process that takes requests of a real NATS server, and the controller that sends them. */
export class Service {
  #controller: Controller | undefined
  #count = 0

  private constructor(
    readonly nats: NatsServer,
    readonly daemon: DaemonInProcess,
    readonly client: NatsConnection,
  ) {}

  static async open(flags: Readonly<Record<string, string>> = {}): Promise<Service> {
    const nats = await NatsServer.open()
    const daemon = await DaemonInProcess.start({
      cloudFoundryNats: `nats://127.0.0.1:${nats.port}`,
      cloudFoundryNetworks: '127.0.0.0/8',
      ...flags,
    })
    await furnish(daemon)
    const service = new Service(nats, daemon, await connect({ servers: [`127.0.0.1:${nats.port}`] }))
    await service.subscribed()
    return service
  }

  async close(): Promise<void> {
    await this.client.close()
    await this.#controller?.close()
    await this.daemon.close()
    await this.nats.stop()
  }

  /** Another controller, with a Node.js application, and the stager as it was. */
  async reset(): Promise<void> {
    await this.serve(
      await zipOf([
        ['server.js', 'serve()'],
        ['.hidden', 'h'],
      ]),
    )
    this.daemon.isolation.stagers.set('./stage', CONTENT)
  }

  async serve(application: Buffer): Promise<void> {
    await this.#controller?.close()
    this.#controller = await Controller.open(application)
  }

  get controller(): Controller {
    if (!this.#controller) throw new Error('there is no controller: call reset')
    return this.#controller
  }

  /** Since the log was cleared. */
  async subscribed(): Promise<void> {
    await until('it is subscribed', () => this.daemon.said('Subscribed to staging'))
  }

  requestOf(more: object = {}, properties: object = {}): object {
    return requestFor(`app-${(this.#count += 1)}`, this.controller, more, properties)
  }

  async send(data: string, timeout = 20_000): Promise<Answer> {
    return (await this.client.request('staging', data, { timeout })).json()
  }

  ask(more?: object, properties?: object): Promise<Answer> {
    return this.send(JSON.stringify(this.requestOf(more, properties)))
  }
}
