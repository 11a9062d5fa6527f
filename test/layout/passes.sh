#!/usr/bin/env bash
# One stem, four spellings: def FuseExperts, FuseExperts.cpp, --moe-fuse-experts, fuse-experts.mlir under test/.
# RUN: bash %s %root
# RUN: not bash %s %S/Inputs/broken | FileCheck %s
# CHECK-DAG: passes/Passes.td: FuseExperts: expected the flag 'moe-fuse-experts', got 'moe-fuse-moe'
# CHECK-DAG: passes/Passes.td: FuseExperts: expected its test in test/passes/fuse-experts.mlir
# CHECK-DAG: passes/Passes.td: FuseExperts: expected its code in passes/FuseExperts.cpp
set -euo pipefail
cd "$1"

status=0
complain() {
  echo "$1"
  status=1
}

shopt -s nullglob
for declarations in passes/Passes.td passes/*/Passes.td lowering/*/Passes.td; do
  folder=${declarations%/Passes.td}
  while read -r stem flag; do
    kebab=$(sed -E 's/([a-z0-9])([A-Z])/\1-\2/g; s/([A-Z]+)([A-Z][a-z])/\1-\2/g' <<<"$stem" | tr '[:upper:]' '[:lower:]')
    # A flag is the dialect that the pass works on, then the stem.
    [[ $flag =~ ^(moe|plan)-$kebab$ ]] || complain "$declarations: $stem: expected the flag 'moe-$kebab', got '$flag'"
    [[ -f $folder/$stem.cpp ]] || complain "$declarations: $stem: expected its code in $folder/$stem.cpp"
    [[ -f test/$folder/$kebab.mlir ]] || complain "$declarations: $stem: expected its test in test/$folder/$kebab.mlir"
  done < <(sed -nE 's/^def ([A-Za-z0-9]+) *: *[A-Za-z]*Pass<"([^"]+)".*/\1 \2/p' "$declarations" | sed -E 's/^([A-Za-z0-9]+)Pass /\1 /')
done
exit $status
