// RUN: moe-opt %s --plan-describe-model='max-sequence=100' --split-input-file --verify-diagnostics

// Attributes that every importer sets are asked for by name.
// expected-error @+1 {{expected the attributes 'moe.family', 'moe.vocabulary' and 'moe.max_positions' of an imported model}}
module attributes {moe.family = "tiny"} {}

// -----

// A model has no rotary frequencies beyond its positions.
// expected-error @+1 {{expected a sequence of at most the model's 64 positions and a batch of at least 1, got 100 and 8}}
module attributes {moe.family = "tiny", moe.vocabulary = 8 : i64, moe.max_positions = 64 : i64} {}
