import { NPM, type HintRule } from './hint-rule.js'

/** What registries answer about packages and versions. */
export const REGISTRY_RULES: readonly HintRule[] = [
  {
    name: 'conflict of npm dependencies',
    traces: [[new RegExp(`${NPM} code ERESOLVE`)]],
    hint: () =>
      "Dependencies in package.json ask for different versions of the same package: change them to versions that fit, or put 'legacy-peer-deps=true' into .npmrc, and stage again.",
  },
  {
    name: 'no such version at the npm registry',
    traces: [
      [
        new RegExp(`${NPM} code ETARGET`),
        /No matching version found for (?<package>@?[\w./-]{1,120}@[\w.~^<>=*-]{1,60}?)\.?$/,
      ],
      [/^error Couldn't find any versions for "(?<package>@?[\w./-]{1,120})" that matches "[\w.~^<>=|* -]{1,60}"$/],
    ],
    hint: (_context, { package: name = '' }) =>
      `The registry has no version that fits ${name}: ask for one that it has ('npm view NAME versions'), and stage again.`,
  },
  {
    name: 'no such package at the npm registry',
    traces: [
      [
        new RegExp(`${NPM} code E404`),
        new RegExp(`${NPM} 404 {1,4}'(?<package>@?[\\w./-]{1,120})@[^']{1,60}' is not in (?:this|the npm) registry`),
      ],
      [
        new RegExp(`${NPM} code E404`),
        new RegExp(
          `${NPM} 404 {1,4}The requested resource '(?<package>@?[\\w./-]{1,120})@[^']{1,60}' could not be found`,
        ),
      ],
    ],
    hint: (_context, { package: name = '' }) =>
      `The registry has no package ${name}: correct its name, or name the registry that has it, with credentials if it is private, in .npmrc, and stage again.`,
  },
  {
    name: 'npm registry asks for credentials',
    traces: [[new RegExp(`${NPM} code E40[13]$`)]],
    hint: () =>
      'The npm registry refuses the request without other credentials: give a valid token in .npmrc, and stage again.',
  },
  {
    name: 'no such version at the Python index',
    traces: [
      [
        /^(?:ERROR: )?Could not find a version that satisfies the requirement (?<package>[\w.-]{1,80}(?:[=<>!~]=?[\w.*]{1,30})?) .{0,200}\(from versions: \d/,
      ],
    ],
    hint: (_context, { package: name = '' }) =>
      `The index has no version for this Python that fits ${name}: ask for one of those that the log lists, and stage again.`,
  },
  {
    name: 'no such gem',
    traces: [[/^Could not find gem '(?<package>[\w.-]{1,80})[^']{0,60}' in rubygems repository https?:\/\//]],
    hint: (_context, { package: name = '' }) =>
      `The gem server has no version of ${name} that fits: correct its name or version in the Gemfile, run 'bundle lock', and stage again.`,
  },
  {
    name: 'no such package of the distribution',
    traces: [[/^E: Unable to locate package (?<package>[\w.+-]{1,80})$/]],
    hint: (_context, { package: name = '' }) =>
      `apt knows no package ${name}: run 'apt-get update' before it is installed, and check its name for this distribution.`,
  },
]
