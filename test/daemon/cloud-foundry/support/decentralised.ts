import { nkeys } from '@nats-io/transport-node'

type KeyPair = ReturnType<typeof nkeys.createUser>

/** A server whose users have JWTs of an operator and an account, and the credentials file of one of them. */
export function decentralised(): { readonly config: string; readonly credentials: string } {
  const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()]
  const jwtOf = (subject: KeyPair, issuer: KeyPair, nats: object) => {
    const claims = { iss: issuer.getPublicKey(), sub: subject.getPublicKey(), name: 'test', iat: 1, nats }
    const text = [{ typ: 'JWT', alg: 'ed25519-nkey' }, claims].map((part) => encoded(JSON.stringify(part))).join('.')
    return `${text}.${encoded(issuer.sign(Buffer.from(text)))}`
  }
  const unlimited = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, conn: -1, leaf: -1 }
  const ofOperator = jwtOf(operator, operator, { type: 'operator', version: 2 })
  const ofAccount = jwtOf(account, operator, { type: 'account', version: 2, limits: unlimited })
  const ofUser = jwtOf(user, account, { type: 'user', version: 2, pub: {}, sub: {}, subs: -1, data: -1, payload: -1 })
  const seed = Buffer.from(user.getSeed()).toString()
  return {
    config: `operator: ${ofOperator}\nresolver: MEMORY\nresolver_preload: { ${account.getPublicKey()}: ${ofAccount} }\n`,
    credentials:
      `-----BEGIN NATS USER JWT-----\n${ofUser}\n------END NATS USER JWT------\n\n` +
      `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
  }
}

function encoded(data: string | Uint8Array): string {
  return Buffer.from(data).toString('base64url')
}
