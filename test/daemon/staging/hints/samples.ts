import type { HintContext } from '../../../../daemon/staging/hints/hint-rule.js'

/** The end of an output, as the tools write it, and the words of the hint that must be shown. */
export interface Sample {
  readonly rule: string
  readonly output: string
  readonly hint: string
  readonly context?: Partial<HintContext>
}

export const STAGER: HintContext = {
  program: { kind: 'stager', fqn: 'job::/apcera::nodejs' },
  egress: false,
  caBundle: false,
  proxy: false,
  exitCode: 1,
  memoryBytes: 512 * 1024 * 1024,
  runtimes: ['node', 'node-18', 'node-20', 'node-20.x', 'python-3.11', 'ruby', 'ruby-3.1', 'ruby-3.3'],
  published: [],
  port: undefined,
}

export const RUN: HintContext = {
  ...STAGER,
  program: { kind: 'run', command: 'stagectl run' },
  published: [3000],
  port: '3000',
}

const EGRESS = { egress: true }
const ALLOW = "'stagectl stager update job::/apcera::nodejs --allow-egress'"

const RETRY = (reason: string) =>
  `WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f1d2894bcd0>: Failed to establish a new connection: ${reason}')': /simple/flask/
ERROR: Could not find a version that satisfies the requirement flask (from versions: none)
ERROR: No matching distribution found for flask`

const scripts: readonly Sample[] = [
  {
    rule: 'missing npm script',
    output:
      'npm error Missing script: "start"\nnpm error\nnpm error To see a list of scripts, run:\nnpm error   npm run',
    hint: 'no script "start"',
  },
  { rule: 'missing npm script', output: 'npm ERR! missing script: build', hint: 'no script "build"' },
  { rule: 'missing npm script', output: 'error Command "start" not found.', hint: 'no script "start"' },
  { rule: 'missing npm script', output: `Usage Error: Couldn't find a script named "start".`, hint: '"start"' },
  {
    rule: 'missing npm script',
    output: ' ERR_PNPM_NO_SCRIPT_OR_SERVER  Missing script start or file server.js',
    hint: 'no script "start"',
  },
  { rule: 'CR LF', output: '/usr/bin/env: ‘bash\\r’: No such file or directory', hint: 'CR LF' },
  { rule: 'CR LF', output: "env: 'node\\r': No such file or directory", hint: 'CR LF' },
  { rule: 'CR LF', output: "': No such file or directory", hint: 'CR LF' },
  { rule: 'CR LF', output: './build.sh: /bin/bash^M: bad interpreter: No such file or directory', hint: 'CR LF' },
  { rule: 'CR LF', output: "bash_setup.sh: line 2: $'\\r': command not found", hint: 'CR LF' },
  { rule: 'CR LF', output: "x.sh: line 4: syntax error near unexpected token `$'do\\r''", hint: 'CR LF' },
  { rule: 'CR LF', output: './start.sh: 2: set: Illegal option -', hint: 'CR LF' },
  {
    rule: 'lost exec bit',
    output: '/bin/sh: 1: ./configure: Permission denied',
    hint: './configure is not executable',
  },
  { rule: 'lost exec bit', output: 'sh: 1: next: Permission denied', hint: 'next is not executable' },
  { rule: 'lost exec bit', output: 'make[1]: ./version.sh: Permission denied', hint: 'chmod +x' },
  { rule: 'lost exec bit', output: 'env: ‘./run’: Permission denied', hint: './run is not' },
  { rule: 'lost exec bit', output: 'Error: spawn /app/bin/tool EACCES', hint: '/app/bin/tool is not executable' },
  { rule: 'lost exec bit', output: 'fork/exec: exec: "./bin/web": permission denied', hint: './bin/web' },
  {
    rule: 'lost exec bit',
    output: 'java.io.IOException: Cannot run program "./gradlew" (in directory "/app"): error=13, Permission denied',
    hint: './gradlew',
  },
  {
    rule: 'lost exec bit, in the words of bash',
    output: 'bash: line 1: ./gradlew: Permission denied',
    hint: './gradlew',
  },
  { rule: 'lost exec bit, in the words of bash', output: './build: line 3: ./x.sh: Permission denied', hint: './x.sh' },
  {
    rule: 'lost exec bit, in the words of bash',
    output: 'bash: ./server: Permission denied',
    context: { exitCode: 126 },
    hint: './server is not executable',
  },
  {
    rule: 'lost wrapper of Gradle or Maven',
    output: 'Error: Could not find or load main class org.gradle.wrapper.GradleWrapperMain',
    hint: 'gradle-wrapper.jar is not in the source',
  },
  {
    rule: 'lost wrapper of Gradle or Maven',
    output: 'Error: Could not find or load main class org.apache.maven.wrapper.MavenWrapperMain',
    hint: 'maven-wrapper.jar is not in the source',
  },
]

const runtimes: readonly Sample[] = [
  {
    rule: 'version of Ruby',
    output: 'Your Ruby version is 3.1.2, but your Gemfile specified 2.1.0',
    hint: 'needs Ruby 2.1.0, which is not the version here: this node has runtime.ruby-3.1, runtime.ruby-3.3;',
  },
  {
    rule: 'version of Ruby',
    output: "rbenv: version `2.7.8' is not installed (set by /app/.ruby-version)",
    hint: 'Ruby 2.7.8',
  },
  {
    rule: 'version of Ruby',
    output: 'nokogiri-1.18.0 requires ruby version >= 3.2, < 3.5. The current ruby version is 3.1.2.109.',
    hint: 'Ruby >= 3.2, < 3.5',
  },
  {
    rule: 'version of Node.js',
    output:
      'npm error code EBADENGINE\nnpm error engine Unsupported engine\nnpm error engine Not compatible with your version of node/npm: app@1.0.0\nnpm error notsup Required: {"node":">=22"}\nnpm error notsup Actual:   {"npm":"10.8.2","node":"v20.20.2"}',
    hint: 'needs Node.js >=22, which is not the version here: this node has runtime.node-18, runtime.node-20;',
  },
  {
    rule: 'version of Node.js',
    output:
      'error got@14.0.0: The engine "node" is incompatible with this module. Expected version ">=20". Got "18.19.0"',
    hint: 'Node.js >=20',
  },
  {
    rule: 'version of Node.js',
    output:
      'ERR_PNPM_UNSUPPORTED_ENGINE  Unsupported environment (bad pnpm and/or Node.js version)\n\nExpected version: >=22\nGot: v18.19.0',
    hint: 'Node.js >=22',
  },
  {
    rule: 'version of Node.js',
    output: 'You are using Node.js 16.20.2. For Next.js, Node.js version >= v18.17.0 is required.',
    hint: 'Node.js >= v18.17.0',
  },
  {
    rule: 'version of Node.js',
    output:
      'You are using Node.js 18.19.0. Vite requires Node.js version 20.19+ or 22.12+. Please upgrade your Node.js version.',
    hint: 'Node.js 20.19',
  },
  {
    rule: 'version of Python',
    output: "ERROR: Package 'app' requires a different Python: 3.11.2 not in '>=3.12'",
    hint: 'needs Python >=3.12, which is not the version here: this node has runtime.python-3.11;',
  },
  {
    rule: 'version of Python',
    output: 'The currently activated Python version 3.11.2 is not supported by the project (^3.12).',
    hint: 'Python ^3.12',
  },
  {
    rule: 'version of Python',
    output:
      'ERROR: Ignored the following versions that require a different python version: 2.3.0 Requires-Python >=3.12\nERROR: Could not find a version that satisfies the requirement numpy==2.3.0 (from versions: 1.0, 2.2.6)',
    hint: 'Python >=3.12',
    context: EGRESS,
  },
  {
    rule: 'version of Go',
    output: 'go: go.mod requires go >= 1.22 (running go 1.19.8; GOTOOLCHAIN=local)',
    hint: 'needs Go 1.22, which is not the version here: import a package that provides it',
  },
  { rule: 'version of Go', output: 'note: module requires Go 1.21', hint: 'Go 1.21' },
  {
    rule: 'version of Go',
    output: "/app/go.mod:3: invalid go version '1.22.0': must match format 1.23",
    hint: 'Go 1.22.0',
  },
  {
    rule: 'version of Java',
    output:
      '[ERROR] Failed to execute goal org.apache.maven.plugins:maven-compiler-plugin:3.11.0:compile (default-compile) on project app: Fatal error compiling: error: invalid target release: 21 -> [Help 1]',
    hint: 'Java 21',
  },
  { rule: 'version of Java', output: 'error: release version 21 not supported', hint: 'Java 21' },
  {
    rule: 'version of Java',
    output:
      'Exception in thread "main" java.lang.UnsupportedClassVersionError: app/Main has been compiled by a more recent version of the Java Runtime (class file version 65.0), this version of the Java Runtime only recognizes class file versions up to 61.0',
    hint: 'Java 21',
  },
  {
    rule: 'version of Java',
    output:
      '> Cannot find a Java installation on your machine matching this tasks requirements: {languageVersion=21, vendor=any}',
    hint: 'Java 21',
  },
  {
    rule: 'version of PHP',
    output:
      '    - Root composer.json requires php ^8.3 but your php version (8.2.7) does not satisfy that requirement.',
    hint: 'PHP ^8.3',
  },
  {
    rule: 'version of PHP',
    output: 'Your Composer dependencies require a PHP version ">= 8.3.0". You are running 8.2.7.',
    hint: 'PHP >= 8.3.0',
  },
  {
    rule: 'version of Perl',
    output: 'Perl v5.38.0 required--this is only v5.36.0, stopped at app.psgi line 1.',
    hint: 'Perl 5.38.0',
  },
  {
    rule: 'OpenSSL 3 and an old webpack',
    output:
      'Error: error:0308010C:digital envelope routines::unsupported\n    at new Hash (node:internal/crypto/hash:71:19)',
    hint: '--openssl-legacy-provider',
  },
  {
    rule: 'PHP extension',
    output:
      "    - Root composer.json requires PHP extension ext-gd * but it is missing from your system. Install or enable PHP's gd extension.",
    hint: "no extension 'gd'",
  },
]

const lockFiles: readonly Sample[] = [
  {
    rule: 'package-lock.json is not in sync',
    output:
      'npm ERR! code EUSAGE\nnpm ERR!\nnpm ERR! `npm ci` can only install packages when your package.json and package-lock.json or npm-shrinkwrap.json are in sync. Please update your lock file with `npm install` before continuing.\nnpm ERR!\nnpm ERR! Missing: axios@1.6.5 from lock file',
    hint: "run 'npm install'",
  },
  {
    rule: 'package-lock.json is not in sync',
    output:
      'npm error code EUSAGE\nnpm error `npm ci` can only install packages when your package.json and\nnpm error package-lock.json or npm-shrinkwrap.json are in sync.',
    hint: 'package-lock.json does not agree with package.json',
  },
  {
    rule: 'package-lock.json is not in sync',
    output:
      'npm ERR! cipm can only install packages when your package.json and package-lock.json or npm-shrinkwrap.json are in sync.',
    hint: 'package-lock.json does not agree',
  },
  {
    rule: 'no package-lock.json for npm ci',
    output:
      'npm error The `npm ci` command can only install with an existing package-lock.json or\nnpm error npm-shrinkwrap.json with lockfileVersion >= 1.',
    hint: 'no package-lock.json',
  },
  {
    rule: 'yarn.lock is not in sync',
    output: 'error Your lockfile needs to be updated, but yarn was run with `--frozen-lockfile`.',
    hint: "run 'yarn install'",
  },
  {
    rule: 'yarn.lock is not in sync',
    output: '➤ YN0028: │ The lockfile would have been modified by this install, which is explicitly forbidden.',
    hint: "run 'yarn install'",
  },
  {
    rule: 'pnpm-lock.yaml is not in sync',
    output:
      ' ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with "frozen-lockfile" because pnpm-lock.yaml is not up to date with package.json',
    hint: "run 'pnpm install'",
  },
  {
    rule: 'Gemfile.lock is not in sync',
    output:
      "The dependencies in your gemfile changed, but the lockfile can't be updated because frozen mode is set\n\nYou have added to the Gemfile:\n* rack",
    hint: "run 'bundle install'",
  },
  {
    rule: 'Gemfile.lock is not in sync',
    output:
      "Some dependencies were deleted from your gemfile, but the lockfile can't be\nupdated because frozen mode is set",
    hint: "run 'bundle install'",
  },
  {
    rule: 'Gemfile.lock is not in sync',
    output:
      'You are trying to install in deployment mode after changing\nyour Gemfile. Run `bundle install` elsewhere and add the\nupdated Gemfile.lock to version control.',
    hint: "run 'bundle install'",
  },
  {
    rule: 'Gemfile.lock is for another platform',
    output:
      'Your bundle only supports platforms ["x86_64-darwin-20"] but your local platform is x86_64-linux. Add the current platform to the lockfile with',
    hint: "'bundle lock --add-platform x86_64-linux'",
  },
  {
    rule: 'Pipfile.lock is not in sync',
    output: 'Your Pipfile.lock (a1b2c3) is out of date. Expected: (d4e5f6).',
    hint: "'pipenv lock'",
  },
  {
    rule: 'poetry.lock is not in sync',
    output:
      'pyproject.toml changed significantly since poetry.lock was last generated. Run `poetry lock` to fix the lock file.',
    hint: "'poetry lock'",
  },
  {
    rule: 'uv.lock is not in sync',
    output:
      'error: The lockfile at `uv.lock` needs to be updated, but `--locked` was provided. To update the lockfile, run `uv lock`.',
    hint: "'uv lock'",
  },
  {
    rule: 'digests of requirements.txt disagree',
    output:
      'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the package versions, please update the hashes.',
    hint: 'update the hashes',
  },
  {
    rule: 'integrity of an npm package',
    output: 'npm error code EINTEGRITY\nnpm error sha512-abc integrity checksum failed',
    hint: 'other data',
  },
  {
    rule: 'composer.lock is not in sync',
    output: '- Required package "monolog/monolog" is not present in the lock file.',
    hint: "'composer update'",
  },
  {
    rule: 'go.mod needs updates',
    output: 'go: updates to go.mod needed; to update it:\n\tgo mod tidy',
    hint: "'go mod tidy'",
  },
  {
    rule: 'go.mod needs updates',
    output:
      'main.go:4:2: missing go.sum entry for module providing package rsc.io/quote; to add:\n\tgo mod download rsc.io/quote',
    hint: "'go mod tidy'",
  },
  {
    rule: 'vendor of Go is not in sync',
    output:
      'go: inconsistent vendoring in /app:\n\trsc.io/quote@v1.5.2: is explicitly required in go.mod, but not marked as explicit in vendor/modules.txt',
    hint: "'go mod vendor'",
  },
  {
    rule: 'vendor of Go is not in sync',
    output: 'main.go:4:2: cannot find module providing package rsc.io/quote: import lookup disabled by -mod=vendor',
    hint: "'go mod vendor'",
  },
  { rule: 'checksum of a Go module', output: 'verifying rsc.io/quote@v1.5.2: checksum mismatch', hint: 'go.sum' },
]

const certificates: readonly Sample[] = [
  {
    rule: 'expired certificate',
    output: 'npm error code CERT_HAS_EXPIRED',
    context: EGRESS,
    hint: 'clock of this host',
  },
  {
    rule: 'unknown certificate authority of Java',
    output:
      'sun.security.validator.ValidatorException: PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path to requested target',
    context: EGRESS,
    hint: "setting 'ca-bundle'",
  },
  {
    rule: 'unknown certificate authority of Java',
    output: 'javax.net.ssl.SSLHandshakeException: PKIX path building failed',
    context: { egress: true, caBundle: true },
    hint: 'SSL_CERT_FILE names',
  },
  ...[
    'npm error code SELF_SIGNED_CERT_IN_CHAIN',
    'npm error code UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'npm ERR! request to https://registry.npmjs.org/x failed, reason: self-signed certificate in certificate chain',
    "Could not fetch URL https://pypi.org/simple/flask/: There was a problem confirming the ssl certificate: SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate (_ssl.c:992)'))",
    'curl: (60) SSL certificate problem: self-signed certificate in certificate chain',
    'SSL_connect returned=1 errno=0 peeraddr=151.101.1.227:443 state=error: certificate verify failed (unable to get local issuer certificate)',
    "fatal: unable to access 'https://github.com/a/b/': server certificate verification failed. CAfile: none CRLfile: none",
    'go: rsc.io/quote@v1.5.2: Get "https://proxy.golang.org/rsc.io/quote": tls: failed to verify certificate: x509: certificate signed by unknown authority',
    "ERROR: cannot verify example.org's certificate, issued by ‘CN=Corporate’:",
    'Certificate verification failed: The certificate is NOT trusted. The certificate issuer is unknown.',
    'SSL connect attempt failed error:0A000086:SSL routines::certificate verify failed',
    'Could not verify the SSL certificate for https://rubygems.org/.',
  ].flatMap((output): Sample[] => [
    {
      rule: 'unknown certificate authority',
      output,
      context: EGRESS,
      hint: "name a PEM file with the certificate of that authority in the setting 'ca-bundle'",
    },
    {
      rule: 'unknown certificate authority',
      output,
      context: { egress: true, caBundle: true },
      hint: 'add the certificate of that authority to the file',
    },
  ]),
]

const REGISTRY_UNKNOWN: readonly (readonly [host: string, output: string])[] = [
  [
    'registry.npmjs.org',
    'npm error code EAI_AGAIN\nnpm error syscall getaddrinfo\nnpm error errno EAI_AGAIN\nnpm error request to https://registry.npmjs.org/express failed, reason: getaddrinfo EAI_AGAIN registry.npmjs.org',
  ],
  ['registry.npmjs.org', 'npm ERR! getaddrinfo EAI_AGAIN registry.npmjs.org:443'],
  [
    'registry.yarnpkg.com',
    'error An unexpected error occurred: "https://registry.yarnpkg.com/react: getaddrinfo EAI_AGAIN registry.yarnpkg.com".',
  ],
  [
    'registry.npmjs.org',
    ' ERR_PNPM_META_FETCH_FAIL  GET https://registry.npmjs.org/react: request to https://registry.npmjs.org/react failed, reason: getaddrinfo EAI_AGAIN registry.npmjs.org',
  ],
  ['api.example.com', 'Error: getaddrinfo ENOTFOUND api.example.com'],
  ['the registry', RETRY('[Errno -3] Temporary failure in name resolution')],
  [
    'pypi.org',
    "urllib3.exceptions.NameResolutionError: <urllib3.connection.HTTPSConnection object at 0x7f>: Failed to resolve 'pypi.org' ([Errno -3] Temporary failure in name resolution)",
  ],
  ['github.com', 'curl: (6) Could not resolve host: github.com'],
  ['github.com', "fatal: unable to access 'https://github.com/a/b.git/': Could not resolve host: github.com"],
  [
    'repo.packagist.org',
    'curl error 6 while downloading https://repo.packagist.org/packages.json: Could not resolve host: repo.packagist.org',
  ],
  ['example.org', 'wget: unable to resolve host address ‘example.org’'],
  ['index.rubygems.org', 'Could not reach host index.rubygems.org. Check your network connection and try again.'],
  [
    'rubygems.org',
    'SocketError: Failed to open TCP connection to rubygems.org:443 (getaddrinfo: Temporary failure in name resolution)',
  ],
  [
    'proxy.golang.org',
    'go: rsc.io/quote@v1.5.2: Get "https://proxy.golang.org/rsc.io/quote/@v/v1.5.2.info": dial tcp: lookup proxy.golang.org on 127.0.0.11:53: read udp 172.17.0.2:36444->127.0.0.11:53: i/o timeout',
  ],
  ['proxy.golang.org', 'dial tcp: lookup proxy.golang.org: Temporary failure in name resolution'],
  [
    'repo.maven.apache.org',
    '[ERROR] Plugin org.apache.maven.plugins:maven-clean-plugin:3.2.0 or one of its dependencies could not be resolved: Could not transfer artifact org.apache.maven.plugins:maven-clean-plugin:pom:3.2.0 from/to central (https://repo.maven.apache.org/maven2): repo.maven.apache.org: Temporary failure in name resolution',
  ],
  [
    'repo.maven.apache.org',
    "> Could not GET 'https://repo.maven.apache.org/maven2/junit/junit/4.13/junit-4.13.pom'.\n   > repo.maven.apache.org: Temporary failure in name resolution",
  ],
  ['services.gradle.org', 'Exception in thread "main" java.net.UnknownHostException: services.gradle.org'],
  [
    'deb.debian.org',
    "E: Failed to fetch http://deb.debian.org/debian/pool/main/g/git/git_2.39.deb  Temporary failure resolving 'deb.debian.org'",
  ],
  [
    'deb.debian.org',
    "W: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease  Temporary failure resolving 'deb.debian.org'\nE: Unable to locate package git",
  ],
  [
    'the registry',
    "! Finding Plack on cpanmetadb failed.\n! Finding Plack () on mirror http://www.cpan.org failed.\n! Couldn't find module or a distribution Plack",
  ],
  ['the registry', 'urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>'],
]

const NO_ANSWERS: readonly (readonly [host: string, output: string])[] = [
  [
    'registry.npmjs.org',
    'npm error code ETIMEDOUT\nnpm error errno ETIMEDOUT\nnpm error network request to https://registry.npmjs.org/x failed, reason: connect ETIMEDOUT 104.16.0.35:443',
  ],
  [
    'registry.yarnpkg.com',
    'error An unexpected error occurred: "https://registry.yarnpkg.com/x/-/x-1.0.0.tgz: ESOCKETTIMEDOUT".',
  ],
  ['The registry', RETRY('[Errno 111] Connection refused')],
  [
    'files.pythonhosted.org',
    "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='files.pythonhosted.org', port=443): Read timed out.",
  ],
  ['example.org', "curl: (28) Failed to connect to example.org port 443 after 130000 ms: Couldn't connect to server"],
  [
    'github.com',
    "fatal: unable to access 'https://github.com/a/b/': Failed to connect to github.com port 443: Connection timed out",
  ],
  [
    'repo.packagist.org',
    'curl error 28 while downloading https://repo.packagist.org/packages.json: Connection timed out after 10001 milliseconds',
  ],
  [
    'index.rubygems.org',
    'Errno::EHOSTUNREACH: Failed to open TCP connection to index.rubygems.org:443 (No route to host - connect(2) for "index.rubygems.org" port 443)',
  ],
  [
    'proxy.golang.org',
    'go: Get "https://proxy.golang.org/rsc.io/quote/@v/list": dial tcp 172.217.160.81:443: i/o timeout',
  ],
  [
    'repo.maven.apache.org',
    '[ERROR] Could not transfer artifact a:b:pom:1 from/to central (https://repo.maven.apache.org/maven2): Connect to repo.maven.apache.org:443 [repo.maven.apache.org/151.101.0.215] failed: connect timed out',
  ],
  ['deb.debian.org', 'Could not connect to deb.debian.org:80 (151.101.2.132), connection timed out'],
]

const network: readonly Sample[] = [
  ...REGISTRY_UNKNOWN.flatMap(([host, output]): Sample[] => [
    {
      rule: 'unknown host',
      output,
      hint: `cannot reach ${host}, because it has no network access: allow it with ${ALLOW}`,
    },
    { rule: 'unknown host', output, context: EGRESS, hint: "'http-proxy' and 'https-proxy'" },
    { rule: 'unknown host', output, context: { egress: true, proxy: true }, hint: 'check that the proxy' },
  ]),
  ...NO_ANSWERS.flatMap(([host, output]): Sample[] => [
    { rule: 'no answer', output, hint: 'it has no network access' },
    { rule: 'no answer', output, context: EGRESS, hint: `${host} does not answer: check from this host` },
    {
      rule: 'no answer',
      output,
      context: { egress: true, proxy: true },
      hint: `${host} does not answer: check that the proxy`,
    },
  ]),
  ...[
    'npm error 407 Proxy Authentication Required - GET http://registry.npmjs.org/x',
    'npm ERR! tunneling socket could not be established, statusCode=403',
    'curl: (56) Received HTTP code 403 from proxy after CONNECT',
    'curl: (56) CONNECT tunnel failed, response 407',
    "OSError('Tunnel connection failed: 403 Forbidden')",
    'java.io.IOException: Unable to tunnel through proxy. Proxy returns "HTTP/1.1 407 Proxy Authentication Required"',
  ].map((output): Sample => ({
    rule: 'proxy refuses',
    output,
    context: { egress: true, proxy: true },
    hint: 'The proxy refuses',
  })),
  ...[
    "ProxyError('Cannot connect to proxy.', NewConnectionError('<x>: Failed to establish a new connection'))",
    'Get "https://proxy.golang.org/x": proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: connection refused',
    'curl: (5) Could not resolve proxy: proxy.lan',
  ].map((output): Sample => ({
    rule: 'proxy is not reached',
    output,
    context: { egress: true, proxy: true },
    hint: 'The proxy does not answer',
  })),
  {
    rule: 'registry has a fault',
    output: 'npm error code E503\nnpm error 503 Service Unavailable',
    context: EGRESS,
    hint: 'HTTP 503',
  },
  {
    rule: 'registry has a fault',
    output: 'curl: (22) The requested URL returned error: 502',
    context: EGRESS,
    hint: 'HTTP 502',
  },
  { rule: 'too many requests', output: 'npm error code E429', context: EGRESS, hint: 'HTTP 429' },
]

const vendored: readonly Sample[] = [
  {
    rule: 'npm cache',
    output:
      "npm error code ENOTCACHED\nnpm error request to https://registry.npmjs.org/x failed: cache mode is 'only-if-cached' but no cached response is available.",
    hint: 'npm cache of the source lacks',
  },
  {
    rule: 'vendored gems',
    output: "Could not find gem 'sinatra' in cached gems or installed locally.",
    hint: 'bundle cache',
  },
  {
    rule: 'vendored gems',
    output: 'Could not find rack-3.0.8, rack-protection-4.0.0 in locally installed gems',
    hint: 'bundle cache',
  },
  {
    rule: 'vendored wheels',
    output:
      'Looking in links: ./wheels\nERROR: Could not find a version that satisfies the requirement flask (from versions: none)\nERROR: No matching distribution found for flask',
    hint: 'pip download',
  },
  {
    rule: 'offline repository of Maven',
    output:
      '[ERROR] Could not resolve dependencies: Cannot access central (https://repo.maven.apache.org/maven2) in offline mode and the artifact a:b:jar:1 has not been downloaded from it before.',
    hint: 'dependency:go-offline',
  },
  {
    rule: 'offline cache of Gradle',
    output: '> No cached version of junit:junit:4.13 available for offline mode.',
    hint: 'Gradle cache',
  },
  {
    rule: 'offline cache of Yarn',
    output: `error Couldn't find any versions for "react" that matches "^18" in our cache (possible versions are "")`,
    hint: 'offline mirror',
  },
  {
    rule: 'offline store of pnpm',
    output: ' ERR_PNPM_NO_OFFLINE_TARBALL  A package is missing from the store',
    hint: 'pnpm store',
  },
]

const MORE = "allow more with 'stagectl stager update job::/apcera::nodejs --memory 1024MB'"
const memory: readonly Sample[] = [
  {
    rule: 'heap of Node.js',
    output: 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
    hint: MORE,
  },
  {
    rule: 'heap of Java',
    output: 'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space',
    hint: MORE,
  },
  { rule: 'killed compiler', output: 'g++: fatal error: Killed signal terminated program cc1plus', hint: MORE },
  {
    rule: 'killed compiler',
    output: 'github.com/a/b: /usr/lib/go/pkg/tool/linux_amd64/compile: signal: killed',
    hint: MORE,
  },
  {
    rule: 'memory of PHP',
    output: 'PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes)',
    hint: 'memory_limit',
  },
  { rule: 'memory of Python', output: 'MemoryError', hint: MORE },
]

const registries: readonly Sample[] = [
  {
    rule: 'conflict of npm dependencies',
    output: 'npm error code ERESOLVE\nnpm error ERESOLVE unable to resolve dependency tree',
    context: EGRESS,
    hint: 'legacy-peer-deps',
  },
  {
    rule: 'no such version at the npm registry',
    output: 'npm error code ETARGET\nnpm error notarget No matching version found for express@^99.0.0.',
    context: EGRESS,
    hint: 'express@^99.0.0',
  },
  {
    rule: 'no such package at the npm registry',
    output:
      "npm error code E404\nnpm error 404 Not Found - GET https://registry.npmjs.org/@acme%2fcore - Not found\nnpm error 404\nnpm error 404  '@acme/core@^1.0.0' is not in this registry.",
    context: EGRESS,
    hint: 'no package @acme/core',
  },
  {
    rule: 'no such package at the npm registry',
    output:
      "npm error code E404\nnpm error 404  The requested resource '@acme/core@^1.0.0' could not be found or you do not have permission to access it.",
    context: EGRESS,
    hint: 'no package @acme/core',
  },
  {
    rule: 'npm registry asks for credentials',
    output: 'npm error code E401\nnpm error Unable to authenticate',
    context: EGRESS,
    hint: '.npmrc',
  },
  {
    rule: 'no such version at the Python index',
    output:
      'ERROR: Could not find a version that satisfies the requirement flask==99.0 (from versions: 0.1, 0.2)\nERROR: No matching distribution found for flask==99.0',
    context: EGRESS,
    hint: 'fits flask==99.0',
  },
  {
    rule: 'no such gem',
    output: "Could not find gem 'sinatraa' in rubygems repository https://rubygems.org/ or installed locally.",
    context: EGRESS,
    hint: 'version of sinatraa',
  },
  {
    rule: 'no such package of the distribution',
    output: 'E: Unable to locate package libfoo-dev',
    context: EGRESS,
    hint: 'libfoo-dev',
  },
]

const buildTools: readonly Sample[] = [
  { rule: 'no compiler', output: 'gyp ERR! stack Error: not found: make', hint: 'there is no make' },
  { rule: 'no compiler', output: 'You have to install development tools first.', hint: 'there is no compiler' },
  {
    rule: 'no compiler',
    output: "error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory",
    hint: 'no gcc',
  },
  {
    rule: 'no compiler',
    output: 'cgo: C compiler "gcc" not found: exec: "gcc": executable file not found in $PATH',
    hint: 'no gcc',
  },
  { rule: 'no compiler', output: 'make: g++: No such file or directory', hint: 'no g++' },
  {
    rule: 'no Python for node-gyp',
    output: 'gyp ERR! find Python You need to install the latest version of Python.',
    hint: 'Python',
  },
  { rule: 'no header', output: 'x.c:1:10: fatal error: Python.h: No such file or directory', hint: 'header Python.h' },
  {
    rule: 'no headers of Ruby',
    output: "mkmf.rb can't find header files for ruby at /usr/share/include/ruby.h",
    hint: 'headers of Ruby',
  },
  { rule: 'no configuration of a library', output: 'Error: pg_config executable not found.', hint: 'pg_config' },
]

const addresses: readonly Sample[] = [
  {
    rule: 'privileged port',
    output: 'Error: listen EACCES: permission denied 0.0.0.0:80',
    context: RUN,
    hint: 'port 80',
  },
  {
    rule: 'privileged port',
    output: 'nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)',
    context: RUN,
    hint: 'port 80',
  },
  {
    rule: 'no service at its own address',
    output:
      'Error: connect ECONNREFUSED 127.0.0.1:5432\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1607:16)',
    context: RUN,
    hint: 'looks for PostgreSQL at port 5432 of its own container',
  },
  {
    rule: 'no service at its own address',
    output:
      'psycopg2.OperationalError: connection to server at "localhost" (127.0.0.1), port 5432 failed: Connection refused',
    context: RUN,
    hint: 'PostgreSQL',
  },
]

const programs: readonly Sample[] = [
  {
    rule: 'no such file of the application',
    output: "Error: Cannot find module './Routes'\nRequire stack:\n- /app/server.js",
    hint: 'no file ./Routes',
  },
  {
    rule: 'no such file of the application',
    output: "Error: Cannot find module '/app/server.js'",
    hint: 'no file /app/server.js',
  },
  {
    rule: 'no such package of Node.js',
    output: "Error: Cannot find module 'express'\nRequire stack:\n- /app/server.js",
    hint: 'package express is not installed',
  },
  {
    rule: 'no such package of Node.js',
    output: "Error [ERR_MODULE_NOT_FOUND]: Cannot find package '@acme/core' imported from /app/server.js",
    hint: 'package @acme/core is not installed',
  },
  { rule: 'no such module of Python', output: "ModuleNotFoundError: No module named 'flask'", hint: 'no module flask' },
  {
    rule: 'no such library of Ruby',
    output: "<internal:/usr/lib/ruby/rubygems.rb>:85:in `require': cannot load such file -- sinatra (LoadError)",
    hint: 'no library sinatra',
  },
  {
    rule: 'no such module of Perl',
    output:
      "Can't locate Plack/Runner.pm in @INC (you may need to install the Plack::Runner module) (@INC contains: /etc/perl)",
    hint: 'no module Plack::Runner',
  },
  {
    rule: 'no dependencies of PHP',
    output: "PHP Fatal error:  Uncaught Error: Failed opening required '/app/vendor/autoload.php' (include_path='.')",
    hint: 'composer install',
  },
  {
    rule: 'no such program in an npm script',
    output: '> shop@1.0.0 build\n> next build\n\nsh: 1: next: not found',
    hint: 'needs next, which is not installed',
  },
  {
    rule: 'no such program',
    output: 'bash: line 1: exec: gunicorn: not found',
    context: { ...RUN, exitCode: 127 },
    hint: 'no program gunicorn',
  },
  {
    rule: 'no such program',
    output: '/bin/sh: 1: bundle: not found',
    context: { exitCode: 127 },
    hint: 'let job::/apcera::nodejs depend on',
  },
]

export const SAMPLES: readonly Sample[] = [
  ...scripts,
  ...runtimes,
  ...lockFiles,
  ...certificates,
  ...network,
  ...vendored,
  ...memory,
  ...registries,
  ...buildTools,
  ...addresses,
  ...programs,
]
