#!/usr/bin/env bash
# Include directions: each folder reaches only into the layers below it, and includes are written from the root.
# RUN: bash %s %root
# RUN: not bash %s %S/Inputs/broken | FileCheck %s
# CHECK-DAG: passes/Reach.cpp:2: passes may not include 'lowering/Target.h'
# CHECK-DAG: runtime/Reach.cpp:2: runtime may not include 'mlir/IR/Value.h'
# CHECK-DAG: runtime/Reach.cpp:3: runtime may not include 'dialects/moe/MoE.h'
# CHECK-DAG: importers/Beside.cpp:2: 'Beside.h' is not written from the root
# CHECK-DAG: tools/moe-run/main.cpp:2: tools/moe-run may not include 'llvm/ADT/StringRef.h'
set -euo pipefail
cd "$1"

# Layer -> what it may include of this project, and whether it may include LLVM and MLIR.
find importers dialects passes lowering runtime tools -type f \( -name '*.h' -o -name '*.cpp' -o -name '*.c' -o -name '*.td' \) \
  -not -path '*/Inputs/*' -print0 2>/dev/null | xargs -0 -r awk '
  BEGIN {
    schema = "runtime/schema/[A-Za-z]+_generated\\.h"
    may["dialects/moe"] = "dialects/moe/"
    may["dialects/plan"] = "dialects/plan/"
    may["importers"] = "importers/|dialects/moe/|" schema
    may["passes"] = "passes/|dialects/moe/"
    may["lowering"] = "lowering/|dialects/|" schema
    may["runtime"] = "runtime/"
    may["tools"] = "tools/|importers/|dialects/|passes/|lowering/|" schema
    may["runtime tools"] = "tools/|runtime/"
    ours = "^(importers|dialects|passes|lowering|runtime|tools|test)/"
  }
  FNR == 1 {
    split(FILENAME, part, "/")
    layer = name = part[1]
    if (layer == "dialects") layer = name = part[1] "/" part[2]
    if (layer == "tools") name = part[1] "/" part[2]
    if (name ~ /^tools\/(moe-(run|bench|dump)|CommandLine\.(h|cpp))$/) layer = "runtime tools"
  }
  match($0, /^[ \t]*#?include[ \t]*[<"][^>"]+[>"]/) {
    quoted = substr($0, RSTART, RLENGTH)
    path = quoted
    sub(/^[^<"]*[<"]/, "", path)
    sub(/[>"]$/, "", path)
    upstream = path ~ /^(mlir|llvm|lld|clang)(-c)?\//
    if (upstream && layer ~ /^runtime/ || path ~ ours && path !~ "^(" may[layer] ")")
      wrong[++count] = FILENAME ":" FNR ": " name " may not include \x27" path "\x27"
    else if (quoted ~ /"$/ && path !~ ours && !upstream)
      wrong[++count] = FILENAME ":" FNR ": \x27" path "\x27 is not written from the root"
  }
  END {
    for (i = 1; i <= count; ++i) print wrong[i]
    exit count > 0
  }'
