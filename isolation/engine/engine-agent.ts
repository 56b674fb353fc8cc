import { Agent as HttpAgent, type ClientRequest } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { inspect } from 'node:util'

/** Node calls it for each request; its types leave it out. */
interface Adding {
  addRequest(request: ClientRequest, ...more: readonly unknown[]): void
}

/**
 * An agent whose requests fail when their answer is cut off, as by an Engine that is killed in the middle of it. docker-modem
 * listens to the end of an answer only, which never comes then, so that its caller would wait until its deadline.
 *
 * docker-modem describes each request by `inspect` for a log that nobody reads, and with it the agent, and all that its
 * connections refer to: more than half of what a staging cost the daemon. So the agent describes itself by its name.
 */
export function engineAgent(protocol: 'http' | 'https'): HttpAgent | HttpsAgent {
  const agent = protocol === 'https' ? new HttpsAgent() : new HttpAgent()
  Object.defineProperty(agent, inspect.custom, { value: () => 'EngineAgent' })
  const adding = agent as unknown as Adding
  const add = adding.addRequest.bind(agent)
  adding.addRequest = (request, ...more) => {
    request.once('response', (answer) => answer.once('error', (error) => request.emit('error', error)))
    add(request, ...more)
  }
  return agent
}
