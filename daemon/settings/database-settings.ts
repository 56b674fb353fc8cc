import { define } from './definition.js'
import { parseOptionalPath } from './parse-path.js'
import { parseDatabase, parseInteger, parsePorts, parsePostgresHosts, parseText, parseTlsMode } from './parse-value.js'

/** Those of the database, as part of the list in settings.ts. */
export const DATABASE = {
  kind: define('database', 'NAME', parseDatabase, 'sqlite', 'where metadata are: sqlite, or postgresql for a server', {
    about:
      'Where packages, stagers, pipelines, policies, stagings and tokens are: "sqlite" is a file in the state directory; "postgresql" is a server of PostgreSQL 15 or later, which docs/postgresql.md describes. The host is a name, an address, or the directory of a Unix socket. The file of the password, mode 0600, has nothing else in it; it is read again for each connection.',
  }),
  hosts: define(
    'postgresql-host',
    'HOSTS',
    parsePostgresHosts,
    '/run/postgresql',
    'the server, or directory of its socket',
    {
      about:
        'With commas, several servers of which one takes changes, and the others are its standbys: the first that takes changes is used. The ports have commas, too, where they differ.',
    },
  ),
  ports: define('postgresql-port', 'PORTS', parsePorts, '5432', 'its port'),
  name: define('postgresql-database', 'NAME', parseText, 'stagerd', 'the database, which must exist'),
  user: define('postgresql-user', 'NAME', parseText, 'stagerd', 'the role that owns the database'),
  password: define('postgresql-password', 'FILE', parseOptionalPath, '', 'file with the password of the role'),
  tls: define('postgresql-tls', 'MODE', parseTlsMode, 'verify-full', 'verify-full, verify-ca, require or disable', {
    about:
      'TLS to a server that is not reached by a Unix socket, as sslmode of PostgreSQL: verify-full verifies the certificate and the name in it, verify-ca the certificate alone; require encrypts for whoever answers, and disable does not encrypt. The file of authorities takes the place of those that are trusted otherwise, which are those of Node.js and of ca-bundle. The certificate and the key of the client, mode 0600, are for servers that ask for them.',
  }),
  authorities: define('postgresql-ca', 'FILE', parseOptionalPath, '', 'PEM file of the authorities of the server'),
  certificate: define('postgresql-certificate', 'FILE', parseOptionalPath, '', 'certificate of this node, in PEM'),
  key: define('postgresql-key', 'FILE', parseOptionalPath, '', 'private key of that certificate, mode 0600'),
  connections: define('postgresql-connections', 'N', parseInteger, '10', 'connections of this node, at most', {
    about: 'How many connections this node has at most, besides one that listens.',
  }),
}
