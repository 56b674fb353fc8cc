import { describe, expect, it } from 'vitest'
import { reachDirectly } from '../../../daemon/packages/direct-address.js'

const ADDRESS = '198.18.0.1'

describe('the variables for addresses without a proxy', () => {
  it.each<[given: Record<string, string>, lower: string, upper: string]>([
    [{}, ADDRESS, ADDRESS],
    [{ no_proxy: '' }, ADDRESS, ADDRESS],
    [{ no_proxy: 'a.lan,b.lan' }, `a.lan,b.lan,${ADDRESS}`, `a.lan,b.lan,${ADDRESS}`],
    [{ NO_PROXY: 'a.lan' }, `a.lan,${ADDRESS}`, `a.lan,${ADDRESS}`],
    [{ no_proxy: 'a.lan', NO_PROXY: 'b.lan' }, `a.lan,${ADDRESS}`, `b.lan,${ADDRESS}`],
    [{ no_proxy: '', NO_PROXY: 'b.lan' }, ADDRESS, `b.lan,${ADDRESS}`],
    // curl accepts spaces as separators, others commas only: the address is an element for both.
    [{ no_proxy: 'a.lan b.lan , ' }, `a.lan b.lan,${ADDRESS}`, `a.lan b.lan,${ADDRESS}`],
    // As an element of a list, an asterisk means nothing to curl.
    [{ no_proxy: '*' }, '*', '*'],
    [{ no_proxy: `a.lan, ${ADDRESS}` }, `a.lan, ${ADDRESS}`, `a.lan, ${ADDRESS}`],
    [{ no_proxy: '198.18.0.11' }, `198.18.0.11,${ADDRESS}`, `198.18.0.11,${ADDRESS}`],
  ])('given as %j, name the address too', (given, lower, upper) => {
    expect(reachDirectly({ A: '1', ...given }, ADDRESS)).toEqual({ A: '1', no_proxy: lower, NO_PROXY: upper })
  })
})
