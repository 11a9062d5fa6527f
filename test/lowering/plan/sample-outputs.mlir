// RUN: moe-opt %s --split-input-file --pass-pipeline="builtin.module(func.func(plan-sample-outputs))" | FileCheck %s

// The logits of outputs are chosen from; what else comes out stays.
// CHECK-LABEL: func.func @decode(
// CHECK-SAME: %[[SETTINGS:[a-z0-9]+]]: tensor<?x5xi32>) -> (tensor<?x8xf32> {moe.output = "logits"}, tensor<?x2xi32> {moe.output = "routing.0"}, tensor<?x1xi32> {moe.output = "sampled"})
// CHECK: %[[LOGITS:.*]] = moe.linear
// CHECK: %[[TOKEN:.*]] = moe.sample %[[LOGITS]] by %[[SETTINGS]] : tensor<?x8xf32>
// CHECK: return %[[LOGITS]], %{{.*}}, %[[TOKEN]]
func.func @decode(%x: tensor<?x4xf32>, %ids: tensor<?x2xi32>, %w: tensor<8x4xf32>, %batch: !moe.batch)
    -> (tensor<?x8xf32> {moe.output = "logits"}, tensor<?x2xi32> {moe.output = "routing.0"}) attributes {moe.phase = "decode"} {
  %last = moe.gather_outputs %x at %batch : tensor<?x4xf32>
  %logits = moe.linear %last, %w : tensor<?x4xf32>, tensor<8x4xf32> -> tensor<?x8xf32>
  return %logits, %ids : tensor<?x8xf32>, tensor<?x2xi32>
}

// -----

// Rows of tokens that come of ids.
// CHECK-LABEL: func.func @embedded
// CHECK-NOT: moe.sample
func.func @embedded(%ids: tensor<?xi32>, %table: tensor<8x4xf32>, %w: tensor<8x4xf32>) -> (tensor<?x8xf32> {moe.output = "logits"}) {
  %x = moe.embed %ids, %table : tensor<8x4xf32> -> tensor<?x4xf32>
  %logits = moe.linear %x, %w : tensor<?x4xf32>, tensor<8x4xf32> -> tensor<?x8xf32>
  return %logits : tensor<?x8xf32>
}

// -----

// There are no settings for every token.
// CHECK-LABEL: func.func @every_token
// CHECK-NOT: moe.sample
func.func @every_token(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>) -> (tensor<?x8xf32> {moe.output = "logits"}) {
  %logits = moe.linear %x, %w : tensor<?x4xf32>, tensor<8x4xf32> -> tensor<?x8xf32>
  return %logits : tensor<?x8xf32>
}

// -----

// CHECK-LABEL: func.func @no_logits
// CHECK-NOT: moe.sample
func.func @no_logits(%x: tensor<?x4xf32>, %batch: !moe.batch) -> (tensor<?x4xf32> {moe.output = "stream"}) {
  %last = moe.gather_outputs %x at %batch : tensor<?x4xf32>
  return %last : tensor<?x4xf32>
}
