// RUN: moe-opt %s --moe-specialize-phases --split-input-file --verify-diagnostics --remark-format=emitRemark --remarks-filter=moe-specialize-phases | FileCheck %s

// The step function becomes two that compute the same.
// CHECK: func.func @prefill(%[[IDS:.*]]: tensor<?xi32>, %{{.*}}: !moe.batch, %[[TABLE:.*]]: tensor<8x64xf32>) -> (tensor<?x64xf32> {moe.output = "logits"})
// CHECK-SAME: attributes {moe.phase = "prefill"}
// CHECK-NEXT: moe.embed %[[IDS]], %[[TABLE]]
// CHECK: func.func @decode(%[[IDS:.*]]: tensor<?xi32>, %{{.*}}: !moe.batch, %[[TABLE:.*]]: tensor<8x64xf32>) -> (tensor<?x64xf32> {moe.output = "logits"})
// CHECK-SAME: attributes {moe.phase = "decode"}
// CHECK-NEXT: moe.embed %[[IDS]], %[[TABLE]]
// CHECK-NOT: @step
func.func @step(%ids: tensor<?xi32>, %batch: !moe.batch, %table: tensor<8x64xf32>) -> (tensor<?x64xf32> {moe.output = "logits"}) {
  %x = moe.embed %ids, %table : tensor<8x64xf32> -> tensor<?x64xf32>
  return %x : tensor<?x64xf32>
}

// -----

// A function without a batch has no phases.
// CHECK: func.func @step(
// CHECK-NOT: moe.phase
func.func @step(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  return %x : tensor<?x64xf32>
}

// -----

// Nor is there room for phases where their names are taken.
// CHECK: func.func @step(
// CHECK-NOT: moe.phase
moe.cache @decode : tensor<?x64xf32>
// expected-remark@below {{the name of a phase is taken}}
func.func @step(%x: tensor<?x64xf32>, %batch: !moe.batch) -> tensor<?x64xf32> {
  return %x : tensor<?x64xf32>
}
