#!/usr/bin/env bash
# The reference pages are what ODS says now; `tools/docs` writes them.
# RUN: bash %s %root %t
set -euo pipefail
cd "$1"

rm -rf "$2"
tools/docs "$2"
status=0
while IFS= read -r page; do
  diff -u "$page" "$2/$page" | head -n 20 || status=1
done < <(cd "$2" && find . -name Reference.md)
[[ $status -eq 0 ]] || echo "stale: run tools/docs"
exit $status
