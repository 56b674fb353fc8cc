import { expect, test } from 'vitest'
import { Fault } from '../../../base/errors.js'
import { loadNativeLibrary } from '../../../daemon/store/sqlite/native-library.js'

test('the native library of this installation loads', () => {
  loadNativeLibrary()
})

test('a library that does not load is a fault that names the version of Node.js and the remedy', () => {
  const cause = new Error('Could not locate the bindings file.')
  const load = () =>
    loadNativeLibrary(() => {
      throw cause
    })
  expect(load).toThrow(Fault)
  expect(load).toThrow(
    expect.objectContaining({
      code: 'native-library',
      cause,
      message: expect.stringContaining(process.execPath) as string,
    }),
  )
  expect(load).toThrow('run "npm ci" with this Node.js and with install scripts enabled.')
})
