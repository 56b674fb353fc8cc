import { BadInput, Refused } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { AddressRules, Judgement } from './address-rules.js'

/**
 * The address of a name is not repeated: who may add a URL need not learn the addresses of the networks around this host.
 *
 * @param setting name of the one that lists networks
 */
export function refusal(host: string, judgement: Exclude<Judgement, { kind: 'allowed' }>, setting: string): Refused {
  const found = `The address of ${quote(host)} is ${judgement.what}`
  switch (judgement.kind) {
    case 'not-listed':
      return new Refused(
        'address-not-listed',
        `${found}: use a public one, or have its network listed in the setting ${setting} of stagerd.`,
      )
    case 'never':
      return new Refused('address-forbidden', `${found}, where stagerd never sends requests: use another one.`)
  }
}

/** Throws `Refused` (`address-not-listed`, `address-forbidden`). */
export function assertAllowed(
  host: string,
  address: string,
  rules: Pick<AddressRules, 'judge'>,
  setting: string,
): void {
  const judgement = rules.judge(address)
  if (judgement.kind !== 'allowed') throw refusal(host, judgement, setting)
}

/** The message does not repeat the URL, which may contain a secret. Throws `BadInput` (`bad-url`). */
export function parseOutboundUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.hostname === '')
    throw new BadInput('bad-url', 'The URL is not one that requests can be sent to: write https://HOST/PATH.')
  if (url.username !== '' || url.password !== '')
    throw new BadInput('bad-url', 'The URL has a user name or a password, which is not supported: leave it out.')
  url.hash = ''
  return url
}
