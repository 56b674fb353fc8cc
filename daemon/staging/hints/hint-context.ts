import type { NodeEnvironment } from '../../packages/node-environment.js'
import type { HintContext } from './hint-rule.js'

const PROXIES = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY']

export interface HintFacts extends Pick<HintContext, 'program' | 'egress' | 'published' | 'runtimes'> {
  /** Of the container. */
  readonly environment: Readonly<Record<string, string>>
  readonly node: NodeEnvironment
  readonly limits: { readonly memoryBytes: number }
}

/** The context of the hints for a program that is planned. Its exit code is known later. */
export function hintContext({ environment, node, limits, ...facts }: HintFacts): HintContext {
  return {
    ...facts,
    caBundle: node.always.SSL_CERT_FILE !== undefined,
    proxy: PROXIES.some((name) => (environment[name] ?? '') !== ''),
    memoryBytes: limits.memoryBytes,
    port: environment.PORT,
    exitCode: undefined,
  }
}
