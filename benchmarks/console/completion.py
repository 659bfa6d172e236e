"""What a shell runs to complete a command line: scripts for bash, zsh and fish in place of typer's own.

Typer answers; the scripts ask it as its fish script does, a value and its help in each line. They differ from its
own in three ways: they run the program that was typed (`.venv/bin/samestep`, which may be on no PATH), they
complete names with a colon in them (bash breaks words there) and `--option=value`, and files where there is
nothing to choose from.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

PROGRAM = "samestep"
VARIABLE = "_SAMESTEP_COMPLETE"
ONE_LINE = 10_000
OPTIONS = ("--install-completion", "--show-completion")
ASK = "env %(autocomplete_var)s=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS="

BASH = rf"""
%(complete_func)s() {{
    local line=${{COMP_LINE:0:COMP_POINT}} program=${{1//\\/}} word before value
    program=${{program/#\~/$HOME}}
    word=${{line##*[[:space:]]}}
    [[ $word == -*=* ]] && word=${{word#*=}}
    before=${{word%%"${{word##*:}}"}}
    [[ $COMP_WORDBREAKS == *:* ]] || before=
    COMPREPLY=()
    while IFS=$'\t' read -r value _; do
        [[ $value == *" "* ]] && value=${{value// /\\ }}
        [[ $value ]] && COMPREPLY+=("${{value#"$before"}}")
    done < <({ASK}"$line" "$program" 2>/dev/null)
}}
complete -o default -F %(complete_func)s %(prog_name)s
"""

ZSH = rf"""
#compdef %(prog_name)s
%(complete_func)s() {{
    local line program=${{(Q)~words[1]}}
    local -a values
    for line in "${{(@f)$({ASK}"${{(j: :)words[1,CURRENT]}}" $program 2>/dev/null)}}"; do
        [[ -z $line ]] && continue
        local value=${{line%%%%$'\t'*}} help=
        [[ $line == *$'\t'* ]] && help=:${{line#*$'\t'}}
        values+=("${{value//:/\\:}}$help")
    done
    [[ $words[CURRENT] == -*=* ]] && compset -P '*='
    if (( $#values )); then
        _describe %(prog_name)s values
    else
        _files
    fi
}}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

FISH = rf"""
function %(complete_func)s
    set -l line (commandline -cp)
    set -l program (commandline -opc)[1]
    set -l word (commandline -ct)
    set -l before (string match -r -- '^-[^=]*=' $word; or echo '')
    set -l values ({ASK}"$line" (string replace -r '^~' $HOME -- $program) 2>/dev/null | string match -r '.+')
    if set -q values[1]
        printf '%%s\n' $before$values
    else
        __fish_complete_path (string replace -- "$before" '' $word)
    end
end
complete --command %(prog_name)s --no-files --arguments '(%(complete_func)s)'
"""


def is_asked_for(arguments: Sequence[str]) -> bool:
    """Whether a shell asks how a line goes on, or a person for what their shell is to ask."""
    return VARIABLE in os.environ or any(argument in OPTIONS for argument in arguments)


def use_own_scripts() -> None:
    """From here on these scripts are shown and installed, where typer keeps its own as it does today.

    Typer wraps the help of a value by the width of the terminal, and a shell takes each line for a value.
    """
    os.environ["COLUMNS"] = str(ONE_LINE)
    from typer import _completion_shared

    scripts = getattr(_completion_shared, "_completion_scripts", {})
    scripts.update({"bash": BASH, "zsh": ZSH, "fish": FISH})
