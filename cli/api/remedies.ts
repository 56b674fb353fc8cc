import { LISTS } from './not-found.js'

const GIVE_TOKEN =
  'set STAGERD_TOKEN, or give the context a token with `stagectl context add`; an administrator makes one with `stagectl token create`'

/** Refusals for want of access, in words of the client. */
const OF_ACCESS: Readonly<Record<string, (detail: string) => string>> = {
  'token-missing': () => `stagerd asks for a token at this address: ${GIVE_TOKEN}.`,
  'token-invalid': () => `stagerd does not know the token, which is mistyped or was revoked: ${GIVE_TOKEN}.`,
  'token-expired': (detail) => `${detail.replace(/: [^:]*$/, '')}: ${GIVE_TOKEN}.`,
  'token-read-only': (detail) => `${withoutStop(detail)} (\`stagectl token create --write\`).`,
  'namespace-forbidden': (detail) => `${withoutStop(detail)} (\`stagectl token create --scope\`).`,
  'administrator-only': (detail) =>
    `${withoutStop(detail)} (\`stagectl token create --administrator\`), or the control socket of the node.`,
}

/** Adds what helps to a refusal of the daemon, which does not know the commands of the client. */
export function withRemedy(code: string, detail: string): string {
  const ofAccess = OF_ACCESS[code]
  if (ofAccess) return ofAccess(detail)
  const list = LISTS[code]
  return list === undefined ? detail : `${withoutStop(detail)}: see ${list}.`
}

function withoutStop(sentence: string): string {
  return sentence.replace(/\.$/, '')
}
