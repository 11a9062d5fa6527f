#!/usr/bin/env bash
# Flips a byte in the middle of every section of an artifact in turn, and prints what moe-dump --verify says of each, and its exit code.
# Usage: damage-sections.sh ARTIFACT DAMAGED
set -euo pipefail

moe-dump "$1" --section manifest |
  sed -nE '/"sections"/,/^  \]/ { s/.*"offset": ([0-9]+).*/\1/p; s/.*"length": ([0-9]+).*/\1/p }' | paste - - |
  while read -r offset length; do
    cp "$1" "$2"
    at=$((offset + length / 2))
    byte=$(od -An -tu1 -j "$at" -N 1 "$1")
    printf "\\x$(printf %02x $((byte ^ 255)))" | dd of="$2" bs=1 seek="$at" conv=notrunc status=none
    code=0
    moe-dump --verify "$2" 2>&1 || code=$?
    echo "exit code $code"
  done
