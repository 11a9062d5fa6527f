#!/usr/bin/env bash
# The top level holds exactly what the README lists: the stages, test, tools, and nothing else but dot-files and builds.
# RUN: bash %s %root
# RUN: not bash %s %S/Inputs/broken | FileCheck %s
# CHECK-DAG: scripts: not a part of the top level
# CHECK-DAG: CMakeLists.txt: missing from the top level
set -euo pipefail
cd "$1"

parts=(CMakeLists.txt README.md dialects importers lowering passes runtime test tools)
status=0
for entry in *; do
  [[ $entry == build* || " ${parts[*]} " == *" $entry "* ]] || { echo "$entry: not a part of the top level"; status=1; }
done
for part in "${parts[@]}"; do
  [[ -e $part ]] || { echo "$part: missing from the top level"; status=1; }
done
exit $status
