#!/usr/bin/env bash
# Runs a program with the arguments of each line "REFUSED: arguments => message" of a test. Each must be refused: exit code 2, nothing
# on standard output, and on standard error an error of that program which holds the message.
# Usage: refusals.sh TEST PROGRAM [FIRST ARGUMENT]...     arguments are words for a shell
set -uo pipefail

test=$1
shift
count=0 wrong=0
while IFS= read -r line; do
  arguments=${line%% => *} message=${line#* => }
  output=$(bash -c "timeout 60 ${*} $arguments" 2>/dev/null)
  errors=$(bash -c "timeout 60 ${*} $arguments" 2>&1 >/dev/null)
  code=$?
  count=$((count + 1))
  if [[ $code -ne 2 || -n $output || $errors != *"$1: error: "*"$message"* ]]; then
    printf '%s %s\n  expected exit code 2 and: %s\n  got exit code %s and: %s\n%s\n' "$1" "$arguments" "$message" "$code" "$errors" "$output"
    wrong=$((wrong + 1))
  fi
done < <(sed -nE 's/^# REFUSED: //p' "$test")
echo "$count refusals, $wrong wrong"
[[ $count -gt 0 && $wrong -eq 0 ]]
