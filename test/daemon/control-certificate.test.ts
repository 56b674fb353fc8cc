import { chmod, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { expiryWarning, readCertificate } from '../../daemon/control-certificate.js'
import { controlAddressOf } from '../../daemon/settings/control-address.js'
import { Authority } from '../support/certificates.js'
import { temporaryDirectory } from './store/temporary-directory.js'

const address = { host: '0.0.0.0', port: 7300 }

it('a TCP address without TLS is refused, and so is TLS without an address', () => {
  const check = (settings: Partial<Parameters<typeof controlAddressOf>[0]>) => () =>
    controlAddressOf({ address: undefined, certificate: undefined, key: undefined, ...settings })
  expect(check({})()).toBeUndefined()
  expect(check({ address, certificate: '/c', key: '/k' })()).toEqual({ ...address, certificate: '/c', key: '/k' })
  expect(check({ address })).toThrow(
    'control-address needs tls-certificate: the control API is served over TCP with TLS only.',
  )
  expect(check({ address, certificate: '/c' })).toThrow('control-address needs tls-key:')
  expect(check({ key: '/k' })).toThrow('tls-certificate and tls-key are for control-address, which is not set')
})

it('a certificate and a key that cannot be used are refused with the reason', async () => {
  const directory = await temporaryDirectory()
  onTestFinished(() => directory.remove())
  const authority = await Authority.make(directory.path)
  const files = await authority.issue('host')
  const other = await authority.issue('other')
  const text = path.join(directory.path, 'text')
  await writeFile(text, 'no PEM', { mode: 0o600 })
  const refusal = (given: Partial<typeof files>) =>
    readCertificate({ ...address, ...files, ...given }).then(
      () => 'accepted',
      (error: unknown) => `${(error as { code: string }).code}: ${(error as Error).message}`,
    )

  expect(await refusal({})).toBe('accepted')
  expect(await refusal({ certificate: '/no/such' })).toMatch(/^bad-tls-certificate: The certificate \/no\/such cannot/)
  expect(await refusal({ certificate: text })).toMatch(/^bad-tls-certificate: .* has no certificate in PEM/)
  expect(await refusal({ key: '/no/such' })).toMatch(/^bad-tls-key: The key \/no\/such cannot be used/)
  expect(await refusal({ key: text })).toMatch(/^bad-tls-key: .* is not the key of the certificate/)
  expect(await refusal({ key: other.key })).toMatch(/^bad-tls-key: .* is not the key of the certificate/)

  // A group such as ssl-cert may read it.
  for (const [mode, answer] of [
    [0o400, /^accepted$/],
    [0o640, /^accepted$/],
    [0o660, /^bad-tls-key: The key .* has mode 660, with which others/],
    [0o644, /^bad-tls-key: The key .* has mode 644, .*: set it with chmod 600\.$/],
  ] as const) {
    await chmod(files.key, mode)
    expect(await refusal({})).toMatch(answer)
  }
})

it('the end of a certificate is told two weeks before, and after it', () => {
  const expiresAt = new Date('2030-02-01T00:00:00Z')
  const on = (day: string) => expiryWarning({ expiresAt }, 'control address', new Date(`${day}T00:00:00Z`))
  expect(on('2030-01-18')).toBeUndefined()
  expect(on('2030-01-19')).toContain('expires at 2030-02-01')
  expect(on('2030-02-02')).toContain('expired at 2030-02-01')
})
