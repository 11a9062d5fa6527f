// RUN: moe-opt %s --plan-describe-model='max-sequence=65537 max-batch=16384' --split-input-file --verify-diagnostics

// One page more than the runtime numbers: 1024 pages would do.
// expected-error @+1 {{expected at most 16777216 pages of 64 positions in a cache, got 16384 sequences of 1025 pages; give a smaller --max-batch or --max-sequence}}
module attributes {moe.family = "tiny", moe.vocabulary = 8 : i64, moe.max_positions = 1048576 : i64} {}
