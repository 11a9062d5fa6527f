#!/usr/bin/env bash
# What a module says apart from names: weights by the order in which they are read, nothing of where they lie.
set -euo pipefail
sed -e 's/^module attributes {.*} {$/module {/' -e '/^ *moe\.weight @/d' "$1" | awk '{
  while (match($0, /get_weight @("[^"]*"|[^ ]+)/)) {
    name = substr($0, RSTART + 11, RLENGTH - 11)
    if (!(name in number))
      number[name] = ++count
    $0 = substr($0, 1, RSTART - 1) "weight " number[name] substr($0, RSTART + RLENGTH)
  }
  print
}'
