#!/usr/bin/env bash
# Every source file starts with a comment that says what it is, and stays short enough to read.
# RUN: bash %s %root
# RUN: not bash %s %S/Inputs/broken | FileCheck %s
# CHECK-DAG: passes/NoHead.cpp:1: expected a comment that says what the file is
# CHECK-DAG: passes/Long.cpp: expected at most 800 lines, got 801
set -euo pipefail
cd "$1"

find dialects importers lowering passes runtime test tools \( -path '*/Inputs' -o -path '*/fixtures' \) -prune -o -type f \
  \( -name '*.h' -o -name '*.cpp' -o -name '*.c' -o -name '*.td' -o -name '*.fbs' -o -name '*.mlir' \) -print0 2>/dev/null |
  xargs -0 -r awk '
  function measure() {
    if (lines > 800) { print file ": expected at most 800 lines, got " lines; bad = 1 }
    else if (lines > 400) print file ": more than 400 lines (" lines "), does it hold one concept?"
  }
  FNR == 1 {
    measure()
    file = FILENAME
    # A lit test may say how it is run first.
    if ($0 !~ /^\/\/ ?[^ ]/ && $0 !~ /^\/\*/) { print file ":1: expected a comment that says what the file is"; bad = 1 }
  }
  { lines = FNR }
  END { measure(); exit bad }'
