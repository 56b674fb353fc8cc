import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'

const ROOT = path.resolve(import.meta.dirname, '../..')

async function readJson<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(path.join(ROOT, file), 'utf8')) as T
}

// npm 12 skips the install scripts of unlisted packages, with a warning and exit code 0.
test('allowScripts in package.json lists each package with an install script', async () => {
  const { allowScripts } = await readJson<{ allowScripts: Record<string, boolean> }>('package.json')
  const { packages } = await readJson<{ packages: Record<string, { hasInstallScript?: boolean }> }>('package-lock.json')
  const withScript = Object.keys(packages).filter((location) => packages[location]?.hasInstallScript)
  // Names without versions: npm matches a version only against the URL of a package, and the lock file has no URLs.
  const names = withScript.map((location) => location.slice(location.lastIndexOf('node_modules/') + 13))
  expect(Object.keys(allowScripts).sort()).toEqual([...new Set(names)].sort())
})
