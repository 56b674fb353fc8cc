import { NPM, type HintRule } from './hint-rule.js'

/** Lock files that disagree with what they lock. */
export const LOCK_FILE_RULES: readonly HintRule[] = [
  {
    name: 'package-lock.json is not in sync',
    traces: [[/^npm (?:ERR!|error).{0,12}(?:npm ci`?|cipm) can only install packages when your package\.json and/]],
    hint: () =>
      "package-lock.json does not agree with package.json: run 'npm install' where the application is developed, keep both files, and stage again.",
  },
  {
    name: 'no package-lock.json for npm ci',
    traces: [[/^npm (?:ERR!|error).{0,12}`npm ci` command can only install with an existing/]],
    hint: () =>
      "The source has no package-lock.json that 'npm ci' can use: run 'npm install' where the application is developed, keep the file, and stage again.",
  },
  {
    name: 'yarn.lock is not in sync',
    traces: [
      [/^error Your lockfile needs to be updated, but yarn was run with `--frozen-lockfile`/],
      [/YN0028: .{0,8}The lockfile would have been modified by this install, which is explicitly forbidden/],
    ],
    hint: () =>
      "yarn.lock does not agree with package.json: run 'yarn install' where the application is developed, keep both files, and stage again.",
  },
  {
    name: 'pnpm-lock.yaml is not in sync',
    traces: [[/ERR_PNPM_OUTDATED_LOCKFILE/]],
    hint: () =>
      "pnpm-lock.yaml does not agree with package.json: run 'pnpm install' where the application is developed, keep both files, and stage again.",
  },
  {
    name: 'Gemfile.lock is not in sync',
    traces: [
      [/(?:gemfile|gemspecs|dependencies)[\w ]{0,40}, but the lockfile can't be/],
      [/You are trying to install in deployment mode after changing/],
      [/Your lockfile is missing .{1,80}, but can't be updated because frozen mode is set/],
    ],
    hint: () =>
      "Gemfile.lock does not agree with Gemfile: run 'bundle install' where the application is developed, keep both files, and stage again.",
  },
  {
    name: 'Gemfile.lock is for another platform',
    traces: [
      [
        /Your bundle only supports platforms \[.{1,200}\] but your local platforms? (?:is|are) "?\[?"?(?<platform>[\w-]{1,40})/,
      ],
    ],
    hint: (_context, { platform = '' }) =>
      `Gemfile.lock was made for other platforms: run 'bundle lock --add-platform ${platform}' where the application is developed, and stage again.`,
  },
  {
    name: 'Pipfile.lock is not in sync',
    traces: [[/Your Pipfile\.lock \([0-9a-f]{1,64}\) is out of date/]],
    hint: () =>
      "Pipfile.lock does not agree with Pipfile: run 'pipenv lock' where the application is developed, keep both files, and stage again.",
  },
  {
    name: 'poetry.lock is not in sync',
    traces: [
      [/pyproject\.toml changed significantly since poetry\.lock was last generated/],
      [/^Error: poetry\.lock is not up to date with pyproject\.toml/],
    ],
    hint: () =>
      "poetry.lock does not agree with pyproject.toml: run 'poetry lock' where the application is developed, keep both files, and stage again.",
  },
  {
    name: 'uv.lock is not in sync',
    traces: [[/The lockfile at `uv\.lock` needs to be updated, but `--(?:locked|frozen)` was provided/]],
    hint: () =>
      "uv.lock does not agree with pyproject.toml: run 'uv lock' where the application is developed, keep both files, and stage again.",
  },
  {
    name: 'digests of requirements.txt disagree',
    traces: [[/THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE/]],
    hint: () =>
      'The index has other files than those whose hashes are in the requirements file: update the hashes if the change is expected, and stage again.',
  },
  {
    name: 'integrity of an npm package',
    traces: [[new RegExp(`${NPM} code EINTEGRITY`)], [/^error .{0,200}Integrity check failed for "/]],
    hint: () =>
      'The registry has other data for a package than the lock file expects: update the lock file if the registry or the package has changed, and stage again.',
  },
  {
    name: 'composer.lock is not in sync',
    traces: [
      [/Required package ".{1,120}" is not present in the lock file/],
      [/Your lock file does not contain a compatible set of packages/],
    ],
    hint: () =>
      "composer.lock does not fit composer.json and this PHP: run 'composer update' with this version of PHP where the application is developed, keep both files, and stage again.",
  },
  {
    name: 'go.mod needs updates',
    traces: [[/^go: updates to go\.(?:mod|sum) needed/], [/missing go\.sum entry for (?:module|go\.mod)/]],
    hint: () =>
      "go.mod and go.sum do not agree with the source: run 'go mod tidy' where the application is developed, keep both files, and stage again.",
  },
  {
    name: 'vendor of Go is not in sync',
    traces: [[/^go: inconsistent vendoring in /], [/import lookup disabled by -mod=vendor/]],
    hint: () =>
      "vendor/ does not agree with go.mod: run 'go mod vendor' where the application is developed, keep its result, and stage again.",
  },
  {
    name: 'checksum of a Go module',
    traces: [[/^SECURITY ERROR$/, /checksum mismatch/], [/^verifying [\w./@-]{1,200}: checksum mismatch/]],
    hint: () =>
      'A Go module has other data than go.sum expects: update go.sum if the module was published again on purpose, and stage again.',
  },
]
