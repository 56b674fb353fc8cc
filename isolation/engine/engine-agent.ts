import { Agent as HttpAgent, type ClientRequest } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { inspect } from 'node:util'

/** Node calls it for each request; its types leave it out. */
interface Adding {
  addRequest(request: ClientRequest, ...more: readonly unknown[]): void
}

/**
 * Of the connections that nobody uses. They are kept for a second: the requests of a launch follow one another sooner. With a new
 * connection, a request takes half as much again of the processor.
 */
const KEEPING = { keepAlive: true, maxFreeSockets: 4, timeout: 1_000 }

/**
 * An agent whose requests fail when their answer is cut off, as by an Engine that is killed in the middle of it. docker-modem
 * listens to the end of an answer only, which never comes then, so that its caller would wait until its deadline.
 *
 * docker-modem describes each request by `inspect` for a log that nobody reads, and with it the agent, and all that its
 * connections refer to: more than half of what a staging cost the daemon. So the agent describes itself by its name.
 *
 * @param keeping whether a few connections are kept for the next requests
 */
export function engineAgent(protocol: 'http' | 'https', keeping = true): HttpAgent | HttpsAgent {
  const options = keeping ? KEEPING : {}
  const agent = protocol === 'https' ? new HttpsAgent(options) : new HttpAgent(options)
  Object.defineProperty(agent, inspect.custom, { value: () => 'EngineAgent' })
  const adding = agent as unknown as Adding
  const add = adding.addRequest.bind(agent)
  adding.addRequest = (request, ...more) => {
    const send = () => {
      try {
        add(request, ...more)
      } catch (error) {
        // As for an address that nobody can connect to. Nobody else would catch it here.
        request.emit('error', error)
      }
    }
    request.once('response', (answer) => answer.once('error', (error) => request.emit('error', error)))
    // In the first turn the daemon hears of connections that the Engine has closed, also if it has been stopped for a while; in
    // the second one they are gone.
    setImmediate(() => setImmediate(send))
  }
  return agent
}
