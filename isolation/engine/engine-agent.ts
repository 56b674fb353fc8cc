import { Agent as HttpAgent, type ClientRequest } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'

/** Node calls it for each request; its types leave it out. */
interface Adding {
  addRequest(request: ClientRequest, ...more: readonly unknown[]): void
}

/**
 * An agent whose requests fail when their answer is cut off, as by an Engine that is killed in the middle of it. docker-modem
 * listens to the end of an answer only, which never comes then, so that its caller would wait until its deadline.
 */
export function engineAgent(protocol: 'http' | 'https'): HttpAgent | HttpsAgent {
  const agent = protocol === 'https' ? new HttpsAgent() : new HttpAgent()
  const adding = agent as unknown as Adding
  const add = adding.addRequest.bind(agent)
  adding.addRequest = (request, ...more) => {
    request.once('response', (answer) => answer.once('error', (error) => request.emit('error', error)))
    add(request, ...more)
  }
  return agent
}
