#!/usr/bin/env bash
# Every source file is formatted as .clang-format says.
# RUN: bash %s %root
# RUN: not bash %s %S/Inputs/broken 2>&1 | FileCheck %s
# CHECK: passes/Unformatted.cpp:2:{{.*}} code should be clang-formatted
set -euo pipefail
cd "$1"

find dialects importers lowering passes runtime test tools -path '*/Inputs' -prune -o -type f \
  \( -name '*.h' -o -name '*.cpp' -o -name '*.c' \) -print0 2>/dev/null | xargs -0 -r -n 40 clang-format-22 --dry-run -Werror
