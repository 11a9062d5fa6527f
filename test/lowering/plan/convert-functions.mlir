// RUN: moe-opt %s --plan-convert-functions --split-input-file --verify-diagnostics | FileCheck %s

// Weights become arguments behind the inputs, once each wherever they are read; one that nothing reads is left out.
moe.weight @w : tensor<4xf32> = [#moe.slice<"w" in "m" at 0 rows 2>, #moe.slice<"v" in "m" at 8 rows 2>]
moe.weight @stack : tensor<2x3x4xf32> = [#moe.slice<"a" in "m" at 64 rows 1 times 2 every 48>]
moe.weight @unread : tensor<4xf32> = [#moe.slice<"u" in "m" at 0 rows 4>]
// CHECK: plan.weight @w : tensor<4xf32> = [#plan.part<"m" at 0 bytes 16>]
// CHECK: plan.weight @stack : tensor<2x3x4xf32> = [#plan.part<"m" at 64 bytes 96>]
// CHECK-NOT: @unread
// CHECK: plan.function @main inputs ["x"] outputs ["y", "z"] weights [@stack, @w] attributes {unsigned_inputs = array<i64: 0>} {
// CHECK-NEXT: ^bb0(%[[X:.*]]: tensor<?xi8>, %[[STACK:.*]]: tensor<2x3x4xf32>, %[[W:.*]]: tensor<4xf32>):
// CHECK-NEXT: plan.results %[[W]], %[[STACK]] : tensor<4xf32>, tensor<2x3x4xf32>
func.func @main(%x: tensor<?xi8> {moe.input = "x", moe.unsigned})
    -> (tensor<4xf32> {moe.output = "y"}, tensor<2x3x4xf32> {moe.output = "z"}) {
  %s = moe.get_weight @stack : tensor<2x3x4xf32>
  %w = moe.get_weight @w : tensor<4xf32>
  %again = moe.get_weight @w : tensor<4xf32>
  return %again, %s : tensor<4xf32>, tensor<2x3x4xf32>
}

// -----

// Everything that goes in and comes out has a name.
// expected-error @+1 {{expected 'moe.input' on each, got none on number 1}}
func.func @main(%x: tensor<?xf32> {moe.input = "x"}, %y: tensor<?xf32>) -> (tensor<?xf32> {moe.output = "z"}) {
  return %x : tensor<?xf32>
}

// -----

// expected-error @+1 {{expected a body of one block}}
func.func private @main(%x: tensor<?xf32> {moe.input = "x"}) -> (tensor<?xf32> {moe.output = "z"})
