#!/usr/bin/env bash
# Prints what a program's completion under bash offers for the last word of a command line, in one line.
# Usage: complete.sh PROGRAM WORD...     the last word may be empty
set -euo pipefail

# shellcheck disable=SC1090
source <("$1" --completion bash)
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
compopt() { :; } # works while a person completes only
function=$(complete -p "$1" | sed -E 's/.* -F ([^ ]+) .*/\1/')
"$function"
printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' '
