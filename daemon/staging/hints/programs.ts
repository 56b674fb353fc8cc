import type { HintRule } from './hint-rule.js'

/** Modules and programs that are not there. They come last, because other reasons have this consequence. */
export const PROGRAM_RULES: readonly HintRule[] = [
  {
    name: 'no such file of the application',
    traces: [
      [/^Error: Cannot find module '(?<file>\.{1,2}\/[\w./@+-]{1,150})'$/],
      [/^Error \[ERR_MODULE_NOT_FOUND\]: Cannot find module '(?<file>\/[\w./@+-]{1,150})' imported from /],
      [/^Error: Cannot find module '(?<file>\/[\w./@+-]{1,150}\.[cm]?js)'$/],
      [/Module not found: (?:Error: )?Can't resolve '(?<file>\.{1,2}\/[\w./@+-]{1,150})'/],
      [/\bcannot load such file -- (?<file>\/[\w./@+-]{1,150}) \(LoadError\)/],
    ],
    hint: (_context, { file = '' }) =>
      `There is no file ${file}: check that it is part of the source, and its upper and lower case, which differ on Linux, and stage again.`,
  },
  {
    name: 'no such package of Node.js',
    traces: [
      [/^Error: Cannot find module '(?<module>(?:@[\w.-]{1,60}\/)?[\w.-]{1,60})(?:\/[\w./-]{1,100})?'$/],
      [
        /^Error \[ERR_MODULE_NOT_FOUND\]: Cannot find package '(?<module>(?:@[\w.-]{1,60}\/)?[\w.-]{1,60})' imported from /,
      ],
      [/Module not found: (?:Error: )?Can't resolve '(?<module>(?:@[\w.-]{1,60}\/)?[\w.-]{1,60})'/],
    ],
    hint: (_context, { module = '' }) =>
      `The package ${module} is not installed: add it to "dependencies" of package.json ("devDependencies" are not installed with NODE_ENV=production), and stage again.`,
  },
  {
    name: 'no such module of Python',
    traces: [[/^ModuleNotFoundError: No module named '(?<module>[\w.]{1,100})'$/]],
    hint: (_context, { module = '' }) =>
      `Python finds no module ${module}: add the distribution that has it to the requirements, or correct the import, and stage again.`,
  },
  {
    name: 'no such library of Ruby',
    traces: [[/\bcannot load such file -- (?<module>[\w][\w./-]{0,100}) \(LoadError\)/]],
    hint: (_context, { module = '' }) =>
      `Ruby finds no library ${module}: add the gem that has it to the Gemfile, run 'bundle lock', and stage again.`,
  },
  {
    name: 'no such module of Perl',
    traces: [[/^Can't locate [\w/]{1,150}\.pm in @INC \(you may need to install the (?<module>[\w:]{1,150}) module\)/]],
    hint: (_context, { module = '' }) => `Perl finds no module ${module}: add it to the cpanfile, and stage again.`,
  },
  {
    name: 'no dependencies of PHP',
    traces: [
      [/Failed opening required '[^']{0,150}vendor\/autoload\.php'/],
      [/require(?:_once)?\([^)]{0,150}vendor\/autoload\.php\): Failed to open stream/i],
    ],
    hint: () =>
      "vendor/autoload.php is not there: let Composer install the dependencies ('composer install') before the application starts, and stage again.",
  },
  {
    name: 'no such program in an npm script',
    traces: [
      [
        /^(?:\/bin\/)?(?:da)?sh: (?:\d{1,5}: )?(?<command>[\w.+-]{1,80}): not found$/,
        /^> [\w@/.+-]{1,200}(?: [\w:.-]{1,60})?$/,
      ],
    ],
    hint: (_context, { command = '' }) =>
      `The npm script needs ${command}, which is not installed: add its package to "dependencies" of package.json ("devDependencies" are not installed with NODE_ENV=production), and stage again.`,
  },
  {
    name: 'no such program',
    traces: [
      [/^(?:\/bin\/)?(?:da)?sh: \d{1,5}: (?:exec: )?(?<command>[\w.+-]{1,80}): not found$/],
      [/^sh: (?:exec: )?(?<command>[\w.+-]{1,80}): not found$/],
      [/^(?:[\w./-]{1,100}: )?(?:line \d{1,5}: )?(?:exec: )?(?<command>[\w.+-]{1,80}): command not found$/],
      [/^(?:[\w./-]{1,100}: )?line \d{1,5}: exec: (?<command>[\w.+-]{1,80}): not found$/],
    ],
    // A script that goes on after it may not need the program.
    hint: ({ program, exitCode }, { command = '' }) =>
      exitCode === 127
        ? `There is no program ${command}: ${program.kind === 'stager' ? `let ${program.fqn} depend on a package that has it` : 'add a package that has it to the dependencies'}, or correct the command.`
        : undefined,
  },
]
