import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import type { StagerCache } from '../../../daemon/documents/stager-cache.js'
import type { Stager } from '../../../daemon/documents/stager.js'
import { ApiUnderTest } from './api-under-test.js'

describe('the caches of stagers over the API', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open()
  })
  afterEach(() => under.close())

  const packageOf = async (namespace: string, name: string) =>
    (await under.ask<Package>('POST', '/v1/packages', { namespace, name })).document
  const stagerOf = async (name: string, program: Package) => {
    const draft = { namespace: '/apcera', name, package: program.fqn, start_command: './stage' }
    return (await under.ask<Stager>('POST', '/v1/stagers', draft)).document
  }
  const fill = (ofPackage: { uuid: string }, stager: { uuid: string }, text: string) =>
    under.caches.stagerCacheFiles.set(`${ofPackage.uuid}.${stager.uuid}`, new Map([['file', text]]))
  const list = async (query = '') => (await under.ask<StagerCache[]>('GET', `/v1/stager-caches${query}`)).document
  const packagesOf = (caches: readonly StagerCache[]) => caches.map((one) => one.package).sort()

  const furnish = async () => {
    const program = await packageOf('/apcera', 'program')
    const [ruby, nodejs] = [await stagerOf('ruby', program), await stagerOf('nodejs', program)]
    const [shop, site] = [await packageOf('/acme/web', 'shop'), await packageOf('/other', 'site')]
    fill(shop, nodejs, 'four')
    fill(shop, ruby, 'more than four')
    fill(site, nodejs, 'x')
    return { shop, site, nodejs, ruby }
  }

  it('are listed by namespace, stager and package', async () => {
    const { shop } = await furnish()
    expect(packagesOf(await list())).toEqual([
      'package::/acme/web::shop',
      'package::/acme/web::shop',
      'package::/other::site',
    ])
    expect(packagesOf(await list('?namespace=/other'))).toEqual(['package::/other::site'])
    expect(packagesOf(await list('?namespace=/acme'))).toHaveLength(2)
    expect(await list(`?stager=job::/apcera::nodejs&package=${shop.uuid}`)).toMatchObject([
      { package: 'package::/acme/web::shop', stager: 'job::/apcera::nodejs', bytes: 4, in_use: false },
    ])
    expect((await under.ask('GET', '/v1/stager-caches?stager=job::/apcera::perl')).status).toBe(404)
  })

  it('are cleared by the same, and those of others stay', async () => {
    const { site } = await furnish()
    const { document } = await under.ask<StagerCache[]>(
      'DELETE',
      '/v1/stager-caches?namespace=/acme&stager=job::/apcera::ruby',
    )
    expect(document).toMatchObject([{ stager: 'job::/apcera::ruby' }])
    expect(packagesOf(await list())).toEqual(['package::/acme/web::shop', 'package::/other::site'])
    expect(
      packagesOf((await under.ask<StagerCache[]>('DELETE', `/v1/stager-caches?package=${site.uuid}`)).document),
    ).toEqual(['package::/other::site'])
  })

  it('are forgotten with their package', async () => {
    const { shop } = await furnish()
    await under.ask('DELETE', `/v1/packages/${shop.uuid}`)
    expect(packagesOf(await list())).toEqual(['package::/other::site'])
    await under.stagerCaches.forgetDeleted()
    expect(under.caches.stagerCacheFiles.size).toBe(1)
  })
})
