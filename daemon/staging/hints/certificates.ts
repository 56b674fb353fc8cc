import { NPM, type HintRule } from './hint-rule.js'
import type { Trace } from './trace.js'

const UNKNOWN_AUTHORITY: readonly Trace[] = [
  [
    /\b(?:SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT_LOCALLY|UNABLE_TO_VERIFY_LEAF_SIGNATURE|DEPTH_ZERO_SELF_SIGNED_CERT)\b/,
  ],
  [new RegExp(`${NPM}.{0,300}(?:self[- ]signed certificate|unable to get local issuer certificate)`)],
  [
    /CERTIFICATE_VERIFY_FAILED\] certificate verify failed: (?:self[- ]signed certificate|unable to get (?:local )?issuer)/,
  ],
  [/SSL certificate problem: (?:self[- ]signed certificate|unable to get (?:local )?issuer)/],
  [
    /SSL_connect returned=1 errno=\d{1,3}.{0,160}: certificate verify failed \((?:self[- ]signed certificate|unable to get (?:local )?issuer)/,
  ],
  [/server certificate verification failed\. CAfile: /],
  [/x509: certificate signed by unknown authority/],
  [/cannot verify [\w.-]{1,100}'s certificate, issued by /],
  [/The certificate is NOT trusted\. The certificate issuer is unknown/],
  [/SSL connect attempt failed .{0,120}certificate verify failed/],
  [/Could not verify the SSL certificate for https:\/\//],
]

/** Certificates that the program does not accept. */
export const CERTIFICATE_RULES: readonly HintRule[] = [
  {
    name: 'expired certificate',
    traces: [
      [/\bCERT_HAS_EXPIRED\b/],
      [/certificate verify failed: certificate has expired/],
      [/SSL certificate problem: certificate has expired/],
      [/x509: certificate has expired or is not yet valid/],
    ],
    hint: ({ egress }) =>
      egress
        ? "A server has a certificate that has expired, or the clock of this host is wrong: compare 'date' with the true time, then stage again when the server has a new one."
        : undefined,
  },
  {
    name: 'unknown certificate authority of Java',
    traces: [[/PKIX path building failed/], [/unable to find valid certification path to requested target/]],
    hint: ({ egress, caBundle }) => {
      if (!egress) return undefined
      const remedy = caBundle
        ? "add its certificate to the file of the setting 'ca-bundle' of stagerd"
        : "name a PEM file with its certificate in the setting 'ca-bundle' of stagerd"
      return `Java does not know the certificate authority of a server: ${remedy}, restart stagerd, and try again. The stager 'java' brings the file to Java; any other must put what SSL_CERT_FILE names into the key store with 'keytool -importcert'.`
    },
  },
  {
    name: 'unknown certificate authority',
    traces: UNKNOWN_AUTHORITY,
    hint: ({ egress, caBundle }) => {
      if (!egress) return undefined
      return caBundle
        ? "A server has a certificate of an authority that the file of the setting 'ca-bundle' does not have: add the certificate of that authority to the file, restart stagerd, and try again."
        : "A server has a certificate of an authority that is not public: name a PEM file with the certificate of that authority in the setting 'ca-bundle' of stagerd, restart stagerd, and try again."
    },
  },
]
