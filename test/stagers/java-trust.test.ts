import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { describe, expect, it, onTestFinished } from 'vitest'

const TRUST = path.resolve(import.meta.dirname, '../../stagers/java/trust.sh')
const FETCH = `public class Fetch {
  public static void main(String[] arguments) throws Exception {
    System.out.print(new String(new java.net.URL(arguments[0]).openStream().readAllBytes()));
  }
}
`
const hasJava = await execa('javac', ['-version']).then(
  () => true,
  () => false,
)

async function temporary(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-trust-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  return directory
}

/** A server whose certificate is of no public authority. */
async function privateServer(directory: string): Promise<{ readonly url: string; readonly certificate: string }> {
  const [key, certificate] = [path.join(directory, 'key.pem'), path.join(directory, 'certificate.pem')]
  const extension = ['-addext', 'subjectAltName=IP:127.0.0.1']
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=private', ...extension]
  execFileSync('openssl', [...request, '-keyout', key, '-out', certificate], { stdio: 'ignore' })
  const [keyText, certificateText] = await Promise.all([readFile(key, 'utf8'), readFile(certificate, 'utf8')])
  const server = createServer({ key: keyText, cert: certificateText }, (_request, response) => response.end('hello'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`, certificate: certificateText }
}

/** Runs Java in the environment that trust_bundle leaves; its /tmp/trust is in `directory`. */
async function fetchWithJava(directory: string, url: string, bundle: string | undefined) {
  await writeFile(path.join(directory, 'Fetch.java'), FETCH)
  const script = `
    of_package=/tmp/trust here=$PWD/trust
    fail() { echo "$*"; exit 1; }
    in_stagerfs() { "\${@//$of_package/$here}"; }
    source "$1"
    trust_bundle
    options=\${JAVA_TOOL_OPTIONS-}
    JAVA_TOOL_OPTIONS=\${options//$of_package/$here} java Fetch.java "$2"`
  return await execa('bash', ['--norc', '-euo', 'pipefail', '-c', script, 'bash', TRUST, url], {
    cwd: directory,
    env: bundle === undefined ? { SSL_CERT_FILE: '' } : { SSL_CERT_FILE: bundle },
    reject: false,
  })
}

describe.skipIf(!hasJava)('the stager java', () => {
  it('makes Java trust the authorities of the node, and those that it trusts anyway', async () => {
    const directory = await temporary()
    const { url, certificate } = await privateServer(directory)
    const bundle = path.join(directory, 'bundle.pem')
    await writeFile(bundle, `# The authority of the -- company --\n${certificate}\nIts end.\n`)
    const { stdout, stderr, exitCode } = await fetchWithJava(directory, url, bundle)
    expect({ stdout, exitCode }, stderr).toEqual({ stdout: 'hello', exitCode: 0 })
    const store = ['-keystore', path.join(directory, 'trust/store'), '-storepass', 'changeit']
    const { stdout: listed } = await execa('keytool', ['-list', ...store])
    expect(listed.match(/trustedCertEntry/g)?.length).toBeGreaterThan(1)
  })

  it('changes nothing on a node without a bundle', async () => {
    const directory = await temporary()
    const { url } = await privateServer(directory)
    const { stderr, exitCode } = await fetchWithJava(directory, url, undefined)
    expect(exitCode).toBe(1)
    expect(stderr).toContain('unable to find valid certification path')
  })
})
