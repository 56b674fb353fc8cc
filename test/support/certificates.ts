import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runProcess } from '../../base/run-process.js'

export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

/** A certificate authority of a test, in files. */
export class Authority {
  private constructor(
    private readonly directory: string,
    /** Its own certificate, which clients trust. */
    readonly certificate: string,
  ) {}

  /** @param name of its file. `subject`: its own name; default: the same */
  static async make(directory: string, name = 'authority', subject = name): Promise<Authority> {
    const authority = new Authority(directory, path.join(directory, `${name}.pem`))
    await openssl(
      ['req', '-x509', ...NEW_KEY, '-keyout', authority.#file('key'), '-out', authority.certificate],
      ['-subj', `/CN=${subject}`, '-days', '2'],
    )
    return authority
  }

  /** @param days that it is valid; negative: it has expired. `usages`: by default, it names none */
  async issue(
    name: string,
    {
      names = 'DNS:localhost,IP:127.0.0.1',
      days = 2,
      usages,
    }: { readonly names?: string; readonly days?: number; readonly usages?: string } = {},
  ): Promise<CertificateFiles> {
    const at = (extension: string) => path.join(this.directory, `${name}.${extension}`)
    await writeFile(at('ext'), `subjectAltName=${names}\n${usages === undefined ? '' : `extendedKeyUsage=${usages}\n`}`)
    await openssl(['req', ...NEW_KEY, '-keyout', at('key'), '-out', at('csr'), '-subj', `/CN=${name}`])
    await openssl(
      ['x509', '-req', '-in', at('csr'), '-out', at('pem'), '-days', String(days), '-extfile', at('ext')],
      ['-CA', this.certificate, '-CAkey', this.#file('key'), '-CAcreateserial'],
    )
    return { certificate: at('pem'), key: at('key') }
  }

  #file(extension: string): string {
    return this.certificate.replace(/pem$/, extension)
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

async function openssl(...args: readonly (readonly string[])[]): Promise<void> {
  await runProcess('openssl', args.flat())
}
