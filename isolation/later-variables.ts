import { isShellName } from '../base/variable-name.js'

/**
 * Variables that a shell has for itself: it refuses to set them, or behaves differently then. When a shell starts, it
 * takes some of them from its environment all the same, so that they have to be there at the creation.
 */
const OF_SHELLS = new Set(
  (
    '_ BASHOPTS BASH_ARGC BASH_ARGV BASH_CMDS BASH_LINENO BASH_SOURCE BASH_VERSINFO COMP_WORDBREAKS DIRSTACK EUID FUNCNAME ' +
    'FUNCNEST GROUPS HISTCMD IFS KSH_VERSION LINENO OLDPWD OPTARG OPTERR OPTIND PIPESTATUS POSIXLY_CORRECT PPID PS4 PWD ' +
    'RANDOM SECONDS SHELLOPTS SHLVL TMOUT UID'
  ).split(' '),
)

/** Whether the shell of a waiting container can give the program a variable of this name. */
export function canBeGivenLater(name: string): boolean {
  return isShellName(name) && !OF_SHELLS.has(name) && !name.startsWith('stagerd_')
}
