import { constants } from 'node:os'
import { readFile } from 'node:fs/promises'
import { getSystemErrorMap } from 'node:util'
import { describe, expect, it } from 'vitest'
import { BadInput, NotFound, StagerdError } from '../../base/errors.js'
import { fileError } from '../../base/file-error.js'

function systemError(code: keyof typeof constants.errno, syscall = 'open'): Error {
  const errno = -constants.errno[code]
  return Object.assign(new Error(`${code}: ${getSystemErrorMap().get(errno)?.[1]}, ${syscall} '/x'`), {
    errno,
    code,
    syscall,
    path: '/x',
  })
}

describe('an error of the operating system', () => {
  const known = (Object.keys(constants.errno) as (keyof typeof constants.errno)[]).filter((code) =>
    getSystemErrorMap().has(-constants.errno[code]),
  )

  it.each(known)('%s becomes a sentence about the file, without the name of the errno', (code) => {
    const found = fileError(systemError(code)) as StagerdError
    expect(found).toBeInstanceOf(StagerdError)
    expect(found.message).toMatch(/^"\/x" cannot be \w+: .+; .+\.$/)
    expect(found.message).not.toMatch(/\bE[A-Z0-9]{3,}\b/)
    expect(found.code).toMatch(/^[a-z-]+$/)
  })

  it('of a real call names the file that the caller names, and the remedy of the caller', async () => {
    const error: unknown = await readFile('/').catch((error: unknown) => error)
    expect(fileError(error, { file: 'notes', remedy: 'give a text file' })).toMatchObject({
      code: 'not-a-file',
      message: '"notes" cannot be read: it is a directory; give a text file.',
    })
    expect(fileError(await readFile('/no/such').catch((error: unknown) => error))).toBeInstanceOf(NotFound)
  })

  it('is recognized by its call: other errors pass', () => {
    const other = new BadInput('x', 'y')
    expect(fileError(other)).toBe(other)
    const typed = new TypeError('z')
    expect(fileError(typed)).toBe(typed)
  })
})
