#!/usr/bin/env bash
# Every folder of code says in a README.md of at most a page what it is: the stages, and their parts of three files or more.
# RUN: bash %s %root
# RUN: not bash %s %S/Inputs/broken | FileCheck %s
# CHECK-DAG: passes: expected a README.md
# CHECK-DAG: runtime/README.md: expected at most 70 lines, got 71
set -euo pipefail
cd "$1"

status=0
for folder in dialects importers lowering passes runtime test tools dialects/*/ lowering/*/ lowering/*/*/ runtime/*/; do
  folder=${folder%/}
  [[ -d $folder ]] || continue
  # A part of one or two files is told by its stage.
  if [[ $folder == */* && $(find "$folder" -maxdepth 1 -type f | wc -l) -lt 3 ]]; then continue; fi
  if [[ ! -f $folder/README.md ]]; then
    echo "$folder: expected a README.md"
    status=1
  elif lines=$(wc -l <"$folder/README.md") && [[ $lines -gt 70 ]]; then
    echo "$folder/README.md: expected at most 70 lines, got $lines"
    status=1
  fi
done
exit $status
