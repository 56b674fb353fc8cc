import { describe, expect, it } from 'vitest'
import { containerEnvironment } from '../../../daemon/packages/node-environment.js'

const NODE = {
  always: { SSL_CERT_FILE: '/etc/ssl/stagerd-ca.pem' },
  withEgress: { http_proxy: 'http://proxy:3128', HTTP_PROXY: 'http://proxy:3128', no_proxy: '.lan', NO_PROXY: '.lan' },
}
const withEgress = (...layers: Record<string, string>[]) => containerEnvironment(NODE, { egress: true }, ...layers)

describe('the environment of a container', () => {
  it('begins with a search path, UTF-8, and the variables of the node', () => {
    expect(containerEnvironment(NODE, { egress: false })).toEqual({
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      LANG: 'C.UTF-8',
      SSL_CERT_FILE: '/etc/ssl/stagerd-ca.pem',
    })
  })

  it('is overridden by packages, the highest last', () => {
    const { LANG, SSL_CERT_FILE } = withEgress({ LANG: 'C', SSL_CERT_FILE: '/a' }, { LANG: 'de_DE.UTF-8' })
    expect({ LANG, SSL_CERT_FILE }).toEqual({ LANG: 'de_DE.UTF-8', SSL_CERT_FILE: '/a' })
  })

  it('has the proxies of the node only with egress', () => {
    expect(withEgress()).toMatchObject(NODE.withEgress)
    expect(Object.keys(containerEnvironment(NODE, { egress: false }))).not.toContain('http_proxy')
  })

  it('has no proxy of the node where a layer sets one, in either case', () => {
    const lower = withEgress({ http_proxy: 'http://other:1' })
    expect([lower.http_proxy, lower.HTTP_PROXY, lower.no_proxy]).toEqual(['http://other:1', undefined, '.lan'])
    const upper = withEgress({ NO_PROXY: '' })
    expect([upper.no_proxy, upper.NO_PROXY, upper.HTTP_PROXY]).toEqual([undefined, '', 'http://proxy:3128'])
  })

  it('lets a layer add to the exceptions of the node', () => {
    expect(withEgress({ no_proxy: '$no_proxy,10.0.0.1' }).no_proxy).toBe('.lan,10.0.0.1')
  })
})
