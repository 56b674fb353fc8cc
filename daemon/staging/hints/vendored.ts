import { NPM, type HintRule } from './hint-rule.js'

/** Dependencies that should lie in the source, and do not. */
export const VENDORED_RULES: readonly HintRule[] = [
  rule(
    'npm cache',
    [[new RegExp(`${NPM} code ENOTCACHED`)]],
    'the npm cache of the source lacks a package that package-lock.json has',
  ),
  rule(
    'vendored gems',
    [
      [
        /^Could not find (?:gem '.{1,80}'|[\w.-]{1,80}(?:, [\w.-]{1,80}){0,20}) in (?:cached gems or installed locally|locally installed gems)/,
      ],
      [/^Could not find [\w.-]{1,80} in any of the sources$/],
    ],
    "vendor/cache lacks a gem of Gemfile.lock: run 'bundle cache --all-platforms' where the application is developed",
  ),
  rule(
    'vendored wheels',
    [
      [
        /^(?:ERROR: )?(?:Could not find a version that satisfies the requirement .{1,200}|No matching distribution found for .{1,200})$/,
        /^Looking in links: /,
      ],
    ],
    "the directory of wheels lacks one for this Python: run 'pip download -r requirements.txt' with the same version of Python",
  ),
  rule(
    'offline repository of Maven',
    [[/^.{0,300}Cannot access [\w.-]{1,60} \(https?:.{1,200}\) in offline mode and the artifact /]],
    "the repository in the source lacks an artifact: run 'mvn dependency:go-offline' into it where the application is developed",
  ),
  rule(
    'offline cache of Gradle',
    [[/^.{0,40}No cached version (?:of .{1,200} |listing for .{1,200} )available for offline mode/]],
    'the Gradle cache in the source lacks an artifact',
  ),
  rule(
    'offline cache of Yarn',
    [[/^error Couldn't find any versions for ".{1,120}" that matches ".{1,80}" in our cache/]],
    'the offline mirror of Yarn in the source lacks a package',
  ),
  rule(
    'offline store of pnpm',
    [[/ERR_PNPM_NO_OFFLINE_(?:TARBALL|META)/]],
    'the pnpm store in the source lacks a package',
  ),
]

function rule(name: string, traces: HintRule['traces'], lacks: string): HintRule {
  const hint = `It installs from the source alone, and ${lacks}; add what is missing, and stage again.`
  return { name, traces, hint: () => hint }
}
