#!/usr/bin/env bash
# Model families are named by importers and tests alone, targets by their own folder, the devices and the tools alone.
# RUN: bash %s %root
# RUN: not bash %s %S/Inputs/broken | FileCheck %s
# CHECK-DAG: passes/Identities.cpp:4: names a model family: bool isMixtral = false;
# CHECK-DAG: passes/Identities.cpp:5: names a target: bool isCuda = false;
# CHECK-NOT: passes/Identities.cpp:2
set -euo pipefail
cd "$1"

# Comments may name models as sources, and so may the descriptions in ODS.
find dialects passes lowering runtime tools -type f \( -name '*.h' -o -name '*.cpp' -o -name '*.c' -o -name '*.td' \) \
  -not -path '*/Inputs/*' -print0 2>/dev/null | xargs -0 -r awk '
  FNR == 1 { prose = 0 }
  /\[\{/ && FILENAME ~ /\.td$/ { prose = 1 }
  {
    code = $0
    gsub(/\/\*([^*]|\*[^\/])*\*\/|\/\/.*/, "", code)
    low = tolower(code)
    if (!prose && low ~ /mixtral|mistral|ministral|devstral|deepseek|qwen|llama|kimi|glm_?moe|glm4|olmoe|minimax|gpt_?oss/)
      wrong[++count] = FILENAME ":" FNR ": names a model family: " code
    if (!prose && FILENAME !~ /^(lowering\/(x86|nvptx)|runtime\/devices|tools)\// &&
        low ~ /(^|[^a-z])(x86|avx|nvptx|cuda|ptx|sm_[0-9]+)|is(x86|avx|nvptx|cuda|ptx)/)
      wrong[++count] = FILENAME ":" FNR ": names a target: " code
  }
  /\}\]/ { prose = 0 }
  END {
    for (i = 1; i <= count; ++i) print wrong[i]
    exit count > 0
  }'
