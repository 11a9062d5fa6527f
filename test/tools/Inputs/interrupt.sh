#!/usr/bin/env bash
# Interrupts moe-run once it has written so many bytes and catches or ignores interrupts; prints what it wrote and its exit code.
# Usage: interrupt.sh BYTES OUTPUT COMMAND ARGUMENT...     the command becomes moe-run
set -uo pipefail

bytes=$1 output=$2
shift 2
: >"$output"
env --default-signal=INT "$@" >"$output" & # a shell's background would ignore interrupts
pid=$!
# It stands still while it is looked at, so that it cannot come to its end in between.
# The second bit of a mask of signals is SIGINT's.
until kill -STOP $pid && [[ $(<"/proc/$pid/comm") == moe-run ]] && grep -qE '^Sig(Cgt|Ign):.*[2367abef]$' "/proc/$pid/status" &&
  [[ $(stat -c %s "$output") -ge $bytes ]]; do
  kill -CONT $pid
  sleep 0.005
done
kill -INT $pid
kill -CONT $pid
wait $pid
code=$?
cat "$output"
echo "exit code $code"
