#!/usr/bin/env bash
# Names: nothing is called utils, common, support or misc; command-line options are declared in tools/ only; a TODO has an owner.
# RUN: bash %s %root
# RUN: not bash %s %S/Inputs/broken | FileCheck %s
# CHECK-DAG: passes/TensorUtils.h: does not say what it holds
# CHECK-DAG: passes/Options.cpp:3:{{.*}}: command-line options belong in tools/
# CHECK-DAG: passes/Options.cpp:4:{{.*}}: expected an owner and a condition
set -euo pipefail
cd "$1"

status=0
report() {
  local line
  while IFS= read -r line; do
    echo "$line: $1"
    status=1
  done
}

sources() { find "$@" -type f \( -name '*.h' -o -name '*.cpp' -o -name '*.c' -o -name '*.td' \) -not -path '*/Inputs/*' -print0 2>/dev/null; }

report "does not say what it holds" < <(find dialects importers lowering passes runtime test tools -not -path '*/Inputs/*' -not -path '*/fixtures/*' \
  -iregex '.*\(utils?\|common\|support\|misc\|helpers?\)\(\.[a-z]+\)?' 2>/dev/null)
report "command-line options belong in tools/" < <(sources dialects importers lowering passes runtime |
  xargs -0 -r grep -nE '(llvm::)?cl::(opt|list|bits|alias)\b' || true)
report "expected an owner and a condition: TODO(name): until ..." < <(sources dialects importers lowering passes runtime test tools |
  xargs -0 -r grep -nE '\b(TODO|FIXME|XXX|HACK)\b' | grep -vE 'TODO\([a-z0-9#-]+\): .*(until|when|once)' || true)
exit $status
