# shellcheck shell=bash
# trust_bundle: programs in Java trust the certificates of the node while staging. Java reads no PEM file, which all others
# find in SSL_CERT_FILE. The trust store is outside of the application, and so not in the result.
trust_bundle() {
  [[ -n ${SSL_CERT_FILE-} && -r $SSL_CERT_FILE ]] || return 0
  # shellcheck disable=SC2016 # expanded in /stagerfs
  sed -n '/-BEGIN CERTIFICATE-/,/-END CERTIFICATE-/p' "$SSL_CERT_FILE" | in_stagerfs sh -c '
    mkdir -p /tmp/trust && cat >/tmp/trust/bundle.pem' || fail 'The certificates of the node cannot be copied.'
  in_stagerfs sh -c 'cat >/tmp/trust/Trust.java' <"$(dirname "${BASH_SOURCE[0]}")/Trust.java"
  in_stagerfs sh -c 'cd /tmp/trust && javac Trust.java && java -cp . Trust bundle.pem store' ||
    fail "Java cannot read the certificates of the node, which the setting 'ca-bundle' of stagerd names: see the output above."
  # Maven, Gradle and all that they start are programs in Java.
  export JAVA_TOOL_OPTIONS="-Djavax.net.ssl.trustStore=/tmp/trust/store -Djavax.net.ssl.trustStorePassword=changeit ${JAVA_TOOL_OPTIONS-}"
}
