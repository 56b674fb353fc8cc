import type { HintContext, HintRule } from './hint-rule.js'

/** What is needed to build native extensions. */
export const BUILD_TOOL_RULES: readonly HintRule[] = [
  {
    name: 'no compiler',
    traces: [
      [/gyp ERR! stack Error: not found: (?<tool>make|g\+\+|gcc|cc)$/],
      [/^You have to install development tools first\.$/],
      [/(?:error: )?command '?(?:[\w-]{1,40}-)?(?<tool>gcc|g\+\+|cc)'? failed: No such file or directory/],
      [/unable to execute '(?:[\w-]{1,40}-)?(?<tool>gcc|g\+\+|cc)': No such file or directory/],
      [/C compiler "(?<tool>gcc|cc|clang)" not found: exec: /],
      [/^(?:\/bin\/)?(?:ba|da)?sh: (?:line )?\d{1,5}: (?<tool>gcc|g\+\+|cc|make): (?:command )?not found$/],
      [/^make: (?<tool>gcc|g\+\+|cc): No such file or directory$/],
      [/^make(?:\[\d{1,3}\])?: (?<tool>gcc|g\+\+|cc): (?:Command not found|No such file or directory)$/],
    ],
    hint: (context, { tool = 'compiler' }) =>
      `A native extension is compiled, and there is no ${tool}: ${giveTo(context, 'the compilers')}.`,
  },
  {
    name: 'no Python for node-gyp',
    traces: [
      [/gyp ERR! find Python (?:You need to install the latest version of Python|Python is not set from command line)/],
      [/gyp ERR! stack Error: Could not find any Python installation to use/],
    ],
    hint: (context) => `node-gyp compiles a native extension, for which it needs Python: ${giveTo(context, 'Python')}.`,
  },
  {
    name: 'no header',
    traces: [[/fatal error: (?<header>[\w./+-]{1,100}\.h(?:pp)?): No such file or directory/]],
    hint: (context, { header = '' }) => `The header ${header} is not there: ${giveTo(context, 'it')}.`,
  },
  {
    name: 'no headers of Ruby',
    traces: [[/mkmf\.rb can't find header files for ruby at /]],
    hint: (context) => `A native gem is compiled, and the headers of Ruby are not there: ${giveTo(context, 'them')}.`,
  },
  {
    name: 'no configuration of a library',
    traces: [
      [/^(?:Error: )?(?<tool>pg_config|mysql_config) executable not found/],
      [/Package '?(?<library>[\w.+-]{1,60})'?,? .{0,60}(?:not found|was not found in the pkg-config search path)/],
    ],
    hint: (context, { tool, library }) =>
      `A native extension is compiled, and ${tool ?? `the library ${library ?? ''}`} is not there: ${giveTo(context, 'the development files of the library')}.`,
  },
]

/** The end of a sentence. */
function giveTo({ program }: HintContext, what: string): string {
  return program.kind === 'stager'
    ? `let the package that is staged or ${program.fqn} depend on a package that has ${what}, and stage again`
    : `let the package depend on a package that has ${what}`
}
