/** For each shell a script that asks `stagectl __complete` at each completion, which then knows names too. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

const BASH = `# Completion of stagectl for bash.
_stagectl() {
  local line words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  local current=\${COMP_WORDS[COMP_CWORD]}
  # Names such as package::/apcera::node have colons, at which bash divides words.
  if declare -F _get_comp_words_by_ref >/dev/null; then
    local cword
    _get_comp_words_by_ref -n : -w words -i cword
    words=("\${words[@]:1:cword}")
    current=\${words[cword - 1]}
  fi
  COMPREPLY=()
  while IFS=$'\\t' read -r line _; do
    if [[ $line == :files ]]; then
      compopt -o default
      COMPREPLY=()
      return
    fi
    if [[ $line == "$current"* ]]; then COMPREPLY+=("$line"); fi
  done < <("\${COMP_WORDS[0]}" __complete -- "\${words[@]}" 2>/dev/null)
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$current"; fi
}
complete -F _stagectl stagectl
`

const ZSH = `#compdef stagectl
# Completion of stagectl for zsh.
_stagectl() {
  local line text help
  local -a found
  while IFS=$'\\t' read -r text help; do
    if [[ $text == :files ]]; then
      _files
      return
    fi
    found+=("\${text//:/\\\\:}:\${help}")
  done < <("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe -t values value found
}
if [[ $funcstack[1] == _stagectl ]]; then
  _stagectl "$@"
else
  compdef _stagectl stagectl
fi
`

const FISH = `# Completion of stagectl for fish.
function __stagectl_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l found ($words[1] __complete -- $words[2..] (commandline --current-token --cut-at-cursor) 2>/dev/null)
    if contains -- :files $found
        __fish_complete_path (commandline --current-token)
    else
        printf '%s\\n' $found
    end
end
complete --command stagectl --no-files --arguments '(__stagectl_complete)'
`

export function completionScript(shell: Shell): string {
  switch (shell) {
    case 'bash':
      return BASH
    case 'zsh':
      return ZSH
    case 'fish':
      return FISH
  }
}
