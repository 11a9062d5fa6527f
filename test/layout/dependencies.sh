#!/usr/bin/env bash
# What runs an artifact loads neither MLIR nor LLVM, and little else; moe-run stripped stays below 3 MB.
# RUN: bash %s %build
set -euo pipefail
cd "$1"

sanitized=no
if grep -q 'MOEC_SANITIZE:BOOL=ON' CMakeCache.txt; then sanitized=yes; fi

status=0
complain() {
  echo "$1"
  status=1
}

for file in bin/moe-run bin/moe-bench bin/moe-dump lib/libmoec.so; do
  [[ -f $file ]] || { complain "$file: expected to be built"; continue; }
  while read -r library; do
    # A sanitizer brings libraries of its own.
    [[ $sanitized == yes && $library =~ ^lib(resolv|rt)\.so ]] && continue
    [[ $library =~ ^(libc|libm|libstdc\+\+|libgcc_s|libpcre2-8|libutf8proc|libxxhash|libdl|libpthread|ld-linux-x86-64|libmoec)\.so ]] ||
      complain "$file: needs $library"
  done < <(readelf -d "$file" | sed -nE 's/.*\(NEEDED\).*\[(.*)\].*/\1/p')
  if ldd "$file" | grep -E 'lib(MLIR|LLVM)'; then complain "$file: loads the compiler's libraries"; fi
done

if [[ $sanitized == no && -f bin/moe-run ]]; then
  strip -o moe-run.stripped bin/moe-run
  size=$(stat -c %s moe-run.stripped)
  rm moe-run.stripped
  [[ $size -lt 3000000 ]] || complain "moe-run: expected less than 3000000 bytes stripped, got $size"
fi
exit $status
