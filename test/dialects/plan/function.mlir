// Functions round-trip in custom and in generic form.
// RUN: moe-opt %s --allow-unregistered-dialect | moe-opt --allow-unregistered-dialect | FileCheck %s
// RUN: moe-opt %s --allow-unregistered-dialect --mlir-print-op-generic | moe-opt --allow-unregistered-dialect | FileCheck %s

plan.weight @norm : tensor<256xbf16> = [#plan.part<"m" at 0 bytes 512>]

plan.function @main inputs ["x"] outputs ["y"] weights [@norm] {
^bb0(%x: tensor<?x256xf32>, %norm: tensor<256xbf16>):
  %y = "some.product"(%x, %norm) : (tensor<?x256xf32>, tensor<256xbf16>) -> tensor<?xf32>
  plan.results %y : tensor<?xf32>
}
// CHECK: plan.function @main inputs ["x"] outputs ["y"] weights [@norm] {
// CHECK-NEXT: ^bb0(%{{.*}}: tensor<?x256xf32>, %[[NORM:.*]]: tensor<256xbf16>):
// CHECK: plan.results %{{.*}} : tensor<?xf32>

// Integers without a sign; a function without weights, and one of nothing.
plan.function @pixels inputs ["pixels"] outputs [] weights [] attributes {unsigned_inputs = array<i64: 0>} {
^bb0(%pixels: tensor<?x3xi8>):
  plan.results
}
// CHECK: plan.function @pixels inputs ["pixels"] outputs [] weights [] attributes {unsigned_inputs = array<i64: 0>} {

plan.graph "onnx" parameters 8300000
// CHECK: plan.graph "onnx" parameters 8300000
