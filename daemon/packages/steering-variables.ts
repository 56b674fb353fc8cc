/**
 * Variables that make a loader or an interpreter run code that the program did not name, with the reason for each. What one
 * stager sets in a package must not run inside the next: see docs/decisions/0049-variables-that-steer-programs.md.
 *
 * `*` stands for the rest of a name. Not here is what only names a place that a program has to ask for, such as JAVA_HOME, or
 * where packages are fetched from.
 */
export const STEERING_VARIABLES: readonly { readonly why: string; readonly names: readonly string[] }[] = [
  {
    why: 'the dynamic loader and the C library load these libraries into every program',
    names: ['LD_*', 'GLIBC_TUNABLES', 'GCONV_PATH', 'LOCPATH', 'NLSPATH', 'GETCONF_DIR'],
  },
  {
    why: 'OpenSSL loads engines and providers that its configuration names',
    names: ['OPENSSL_CONF', 'OPENSSL_ENGINES', 'OPENSSL_MODULES'],
  },
  {
    why: 'shells read them as files to execute, as functions, or as text with command substitutions',
    names: [
      ...['BASH_ENV', 'ENV', 'BASH_FUNC_*', 'SHELLOPTS', 'BASHOPTS', 'BASH_LOADABLES_PATH', 'PS0', 'PS1', 'PS2', 'PS4'],
      ...['PROMPT_COMMAND', 'CDPATH', 'IFS', 'ZDOTDIR', 'FPATH', 'INPUTRC'],
    ],
  },
  {
    why: 'programs look there for start files, plugins and modules of the user',
    names: [
      'HOME',
      'XDG_*',
      'CURL_HOME',
      'WGETRC',
      'SYSTEM_WGETRC',
      'NETRC',
      'COMPOSER_HOME',
      'TERMINFO',
      'TERMINFO_DIRS',
    ],
  },
  {
    why: 'programs run them as helpers',
    names: [
      ...['SHELL', 'EDITOR', 'VISUAL', 'PAGER', 'MANPAGER', 'BROWSER', 'LESSOPEN', 'LESSCLOSE', 'LESSKEY*'],
      ...['SSH_ASKPASS', 'SUDO_ASKPASS', 'SUDO_EDITOR', 'RSYNC_RSH', 'CVS_RSH', 'SVN_SSH'],
    ],
  },
  { why: 'the library for stagers gives them to programs in /stagerfs', names: ['STAGERFS_ENV_*'] },
  {
    why: 'git runs the commands and reads the configuration, hooks and programs that they name',
    names: ['GIT_*'],
  },
  { why: 'tar and its like take options from them, and options can name commands', names: ['TAR_OPTIONS', 'RSYNC_*'] },
  {
    why: 'Node.js and npm load modules and run programs that they name',
    names: [
      ...['NODE_OPTIONS', 'NODE_PATH', 'NODE_REPL_EXTERNAL_MODULE', 'NODE_COMPILE_CACHE', 'TS_NODE_*', 'YARN_*'],
      ...['npm_config_node_options', 'npm_config_script_shell', 'npm_config_shell', 'npm_config_git'],
      ...['npm_config_editor', 'npm_config_viewer', 'npm_config_browser', 'npm_config_init_module'],
      ...['npm_config_node_gyp', 'npm_config_python', 'npm_config_userconfig', 'npm_config_globalconfig'],
      ...['npm_config_prefix', 'npm_config_cache'],
    ],
  },
  {
    why: 'Ruby, RubyGems and Bundler load libraries and execute files that they name',
    names: [
      ...['RUBYOPT', 'RUBYLIB', 'RUBYPATH', 'RUBYSHELL', 'RUBYGEMS_GEMDEPS', 'GEM_HOME', 'GEM_PATH', 'GEMRC'],
      ...['BUNDLE_GEMFILE', 'BUNDLE_PATH', 'BUNDLE_APP_CONFIG', 'BUNDLE_CONFIG', 'BUNDLE_USER_*', 'BUNDLER_*'],
      ...['RAKEOPT', 'IRBRC'],
    ],
  },
  {
    why: 'Perl loads modules and executes options that they name',
    names: ['PERL5OPT', 'PERL5LIB', 'PERLLIB', 'PERL5DB', 'PERL5SHELL', 'PERL_MM_OPT', 'PERL_MB_OPT', 'PERLIO'],
  },
  {
    why: 'Python loads modules and executes files that they name',
    names: [
      ...['PYTHONSTARTUP', 'PYTHONPATH', 'PYTHONHOME', 'PYTHONUSERBASE', 'PYTHONBREAKPOINT', 'PYTHONWARNINGS'],
      ...['PYTHONPLATLIBDIR', 'PYTHONPYCACHEPREFIX', 'PYTHONEXECUTABLE', 'PYTHONINSPECT', 'PIP_CONFIG_FILE'],
    ],
  },
  {
    why: 'the Java virtual machine and its build tools take options from them, and an agent is an option',
    names: [
      ...['JAVA_TOOL_OPTIONS', '_JAVA_OPTIONS', 'JDK_JAVA_OPTIONS', 'JAVA_OPTS', 'CLASSPATH', 'CATALINA_OPTS'],
      ...['MAVEN_OPTS', 'MAVEN_ARGS', 'GRADLE_OPTS', 'ANT_OPTS', 'ANT_ARGS', 'SBT_OPTS', 'LEIN_JVM_OPTS', 'JVM_OPTS'],
    ],
  },
  {
    why: 'PHP loads extensions and files that the configuration names',
    names: ['PHPRC', 'PHP_INI_SCAN_DIR'],
  },
  {
    why: 'other interpreters and runtimes load code that they name',
    names: [
      ...['LUA_INIT*', 'LUA_PATH*', 'LUA_CPATH*', 'TCLLIBPATH', 'TCLINIT', 'GUILE_LOAD_*', 'EMACSLOADPATH', 'VIMINIT'],
      ...['R_PROFILE*', 'R_ENVIRON*', 'R_LIBS*', 'JULIA_LOAD_PATH', 'JULIA_DEPOT_PATH', 'AWKPATH', 'AWKLIBPATH'],
      ...['ERL_*', 'ELIXIR_ERL_OPTIONS', 'DOTNET_*', 'CORECLR_*', 'COR_*', 'COMPlus_*'],
    ],
  },
  {
    why: 'compilers and build tools run programs and load plugins that they name',
    names: [
      ...['GOFLAGS', 'GOENV', 'GOROOT', 'GOTOOLDIR', 'GOTOOLCHAIN', 'MAKEFLAGS', 'GNUMAKEFLAGS', 'MFLAGS', 'MAKEFILES'],
      ...['RUSTC', 'RUSTC_*', 'RUSTDOC', 'RUSTFLAGS', 'CARGO_*', 'GCC_EXEC_PREFIX', 'COMPILER_PATH', 'LIBRARY_PATH'],
    ],
  },
]

/** What dependencies of the package set for their own programs begins with this in the environment of a stager. */
export const OF_STAGERFS = 'STAGERFS_ENV_'

const PATTERNS = STEERING_VARIABLES.flatMap(({ names }) => names)
const EXACT = new Set(PATTERNS.filter((name) => !name.endsWith('*')))
const PREFIXES = PATTERNS.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1))

/** Whether a variable of this name makes programs run code that they did not name. */
export function isSteering(name: string): boolean {
  // npm does not distinguish these.
  const folded = /^npm_config_/i.test(name) ? name.toLowerCase().replaceAll('-', '_') : name
  return EXACT.has(folded) || PREFIXES.some((prefix) => folded.startsWith(prefix))
}
