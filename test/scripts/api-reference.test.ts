import { expect, it, onTestFinished } from 'vitest'
import { apiReference, type OpenApi } from '../../scripts/documents.d/api-reference.js'
import { ApiUnderTest } from '../daemon/api/api-under-test.js'

// `npm run api-reference` writes the page again.
it('docs/control-api.md describes the control API as it is', async () => {
  const under = await ApiUnderTest.open()
  onTestFinished(() => under.close())
  const { document } = await under.ask<OpenApi>('GET', '/openapi.json')
  const page = apiReference(document)
  for (const [path, methods] of Object.entries(document.paths))
    for (const method of Object.keys(methods)) expect(page).toContain(`### ${method.toUpperCase()} ${path}\n`)
  // Every link leads to a heading of the page, or to another page.
  const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => `#${text.toLowerCase()}`)
  for (const [, target = ''] of page.matchAll(/\]\((#[^)]*)\)/g)) expect(headings).toContain(target)
  await expect(page).toMatchFileSnapshot('../../docs/control-api.md')
})
