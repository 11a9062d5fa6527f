#!/usr/bin/env bash
# The README's transcripts are true: each command of a console block is run from the root and prints what stands below it, where
# "..." in a line is any text, and a line that is or ends a block with "..." any number of lines.
# RUN: bash %s %root %build
set -uo pipefail
cd "$1"
build=$2

status=0 command="" expected=""

check() {
  [[ -n $command ]] || return 0
  # The commands name build/; a suite that runs on another build leaves out the one that makes build/ itself.
  local words=${command//build\//$build/} actual pattern
  if [[ $command == tools/quickstart* && $build != "$PWD/build" ]]; then return 0; fi
  actual=$(bash -c "$words" 2>/dev/null) || { echo "failed: $command"; status=1; }
  pattern=$(sed -e 's/[][\\*?]/\\&/g' -e 's/\.\.\./*/g' <<<"$expected")
  # shellcheck disable=SC2053
  if [[ $actual != $pattern ]]; then
    printf 'expected of %s:\n%s\ngot:\n%s\n' "$command" "$expected" "$actual"
    status=1
  fi
}

while IFS= read -r line; do
  if [[ $line == '$ '* || $line == END ]]; then
    check
    command=${line#\$ } expected=""
  else
    expected+=${expected:+$'\n'}$line
  fi
done < <(awk '/^```console$/ { inside = 1; next } /^```$/ { inside = 0 } inside' README.md; echo END)
[[ $command == END ]] || exit 1
exit $status
