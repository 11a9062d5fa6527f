#!/usr/bin/env bash
# Every error of a verifier stands in an expected-error of the dialect's tests, as far as its first fixed part goes.
# RUN: bash %s %root
# RUN: not bash %s %S/Inputs/untested | FileCheck %s
# CHECK: dialects/moe/Ops.cpp: no test expects 'C2: expected one half, got{{$}}
# CHECK-NOT: C1
set -euo pipefail
shopt -s nullglob
cd "$1"

status=0
for dialect in moe plan; do
  expected=$(grep -h 'expected-error' test/dialects/"$dialect"/*-invalid.mlir 2>/dev/null || true)
  for source in dialects/"$dialect"/*.cpp; do
    while IFS= read -r message; do
      [[ $expected == *"{{$message"* ]] && continue
      echo "$source: no test expects '$message"
      status=1
    done < <(tr '\n' ' ' <"$source" | grep -oE 'emit(Op)?Error\(\) *<< *"[^"]*"' | sed 's/^[^"]*"//; s/ *"$//' | sort -u)
  done
done
exit $status
