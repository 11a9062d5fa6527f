// RUN: moe-opt %s --moe-verify-optimized --split-input-file --verify-diagnostics

// A function over a batch is specialised,
// expected-error@below {{expected 'moe.phase' on a function over a batch; run 'moe-specialize-phases'}}
func.func @step(%x: tensor<?x64xf32>, %batch: !moe.batch) -> tensor<?x64xf32> {
  return %x : tensor<?x64xf32>
}

// -----

// its row-wise ops are grouped,
func.func @decode(%x: tensor<?x64xf32>, %batch: !moe.batch) -> tensor<?x64xf32> attributes {moe.phase = "decode"} {
  // expected-error@below {{expected row-wise ops within moe.rowwise; run 'moe-fuse-rowwise'}}
  %y = arith.addf %x, %x : tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// and its experts are whole.
func.func @decode(%ids: tensor<?x2xi32>, %batch: !moe.batch) -> tensor<9xi32> attributes {moe.phase = "decode"} {
  // expected-error@below {{is a stage that only a plan has; expected moe.fused_experts or moe.experts}}
  %offsets, %order = moe.dispatch %ids : tensor<?x2xi32> -> tensor<9xi32>
  return %offsets : tensor<9xi32>
}

// -----

// What the phase makes passes.
func.func @decode(%x: tensor<?x64xf32>, %batch: !moe.batch) -> tensor<?x64xf32> attributes {moe.phase = "decode"} {
  %y = moe.rowwise(%x) : (tensor<?x64xf32>) -> tensor<?x64xf32> {
  ^bb0(%a: tensor<?x64xf32>):
    %s = arith.addf %a, %a : tensor<?x64xf32>
    moe.yield %s : tensor<?x64xf32>
  }
  return %y : tensor<?x64xf32>
}
