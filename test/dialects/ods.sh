#!/usr/bin/env bash
# What ODS promises is tested: every op has an example that stands word for word in a round-trip test, and every constraint Cn of an
# op has a case named <op>_cn among the invalid ones, which expects an error that cites Cn.
# RUN: bash %s %root
# RUN: not bash %s %S/Inputs/untested | FileCheck %s
# CHECK-DAG: moe.half: expected an example
# CHECK-DAG: moe.double: expected its example in a test under test/dialects/moe
# CHECK-DAG: moe.double: expected a case named @double_c2 that expects an error 'C2: ...' in test/dialects/moe/*-invalid.mlir
# CHECK-DAG: moe.double: expected a case named @double_c3 that expects an error 'C3: ...' in test/dialects/moe/*-invalid.mlir
# CHECK-DAG: moe.twice: expected a case named @twice_c1 that expects an error 'C1: ...' in test/dialects/moe/*-invalid.mlir
# CHECK-NOT: double_c1
set -euo pipefail
shopt -s nullglob
cd "$1"

for dialect in moe plan; do
  [[ -d dialects/$dialect ]] || continue
  awk -v dialect="$dialect" '
  function trimmed(line) { sub(/^[ \t]+/, "", line); sub(/[ \t]+$/, "", line); return line }
  function complain(text) { print dialect "." op ": " text; bad = 1 }
  function endCase(  name, number) {
    for (name in named) {
      number = name
      sub(/.*_c/, "", number)
      if (number in cites) tested[name] = 1
    }
    delete named
    delete cites
  }
  function require(number) {
    if (!((op "_c" number) in tested))
      complain("expected a case named @" op "_c" number " that expects an error \47C" number ": ...\47 in test/dialects/" dialect "/*-invalid.mlir")
  }
  function closeOp() {
    if (op != "" && !example) complain("expected an example")
    op = ""
  }
  # The tests come first: all of their lines, trimmed.
  FILENAME ~ /\.mlir$/ {
    if (FILENAME ~ /-invalid\.mlir$/) {
      if (FNR == 1 || /^\/\/ -----/) endCase()
      for (line = $0; match(line, /@[a-z0-9_]+_c[0-9]+/); line = substr(line, RSTART + RLENGTH))
        named[substr(line, RSTART + 1, RLENGTH - 1)] = 1
      if (match($0, /expected-error.*\{\{C[0-9]+: /)) {
        cited = substr($0, RSTART, RLENGTH - 2)
        sub(/.*\{\{C/, "", cited)
        cites[cited] = 1
      }
    } else text = text trimmed($0) "\n"
    next
  }
  { endCase() }
  match($0, /^def [A-Za-z_]+ *: *[A-Za-z]+_[A-Za-z]*Op<"[a-z0-9_]+"/) {
    closeOp()
    op = $0
    sub(/^[^"]*"/, "", op)
    sub(/".*/, "", op)
    example = 0
  }
  op != "" && /^ *Example: see / { example = 1 }
  op != "" && match($0, /\* C[0-9]+:/) { require(substr($0, RSTART + 3, RLENGTH - 4)) }
  op != "" && match($0, /Constraints: as `[a-z_.]+`, C1 to C[0-9]+/) {
    last = substr($0, RSTART, RLENGTH)
    sub(/.*C/, "", last)
    for (n = 1; n <= last + 0; ++n) require(n)
  }
  op != "" && /^ *```mlir/ { inExample = 1; block = ""; next }
  inExample && /^ *```/ {
    inExample = 0
    example = 1
    if (!index(text, block)) complain("expected its example in a test under test/dialects/" dialect)
  }
  inExample { block = block trimmed($0) "\n" }
  END { closeOp(); exit bad }' test/dialects/"$dialect"/*.mlir dialects/"$dialect"/*.td || status=1
done
exit ${status-0}
