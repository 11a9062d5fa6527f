// Residual streams side by side round-trip in custom and in generic form.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

// The weights of a layer, and those of a head, which only reads.
func.func @stream_weights(%x: tensor<?x24xf32>, %scale: tensor<3xf32>, %base: tensor<24xf32>, %y: tensor<?x4xf32>,
                          %one: tensor<1xf32>, %four: tensor<4xf32>) -> (tensor<?x24xf32>, tensor<?x4xf32>) {
  %w = moe.stream_weights %x, %scale, %base {streams = 4 : i64, iterations = 20 : i64, epsilon = 1.0e-6 : f64}
    : tensor<?x24xf32>, tensor<3xf32>, tensor<24xf32>
  %h = moe.stream_weights %y, %one, %four {streams = 4 : i64, iterations = 20 : i64, epsilon = 0.0 : f64}
    : tensor<?x4xf32>, tensor<1xf32>, tensor<4xf32>
  return %w, %h : tensor<?x24xf32>, tensor<?x4xf32>
}
// CHECK-LABEL: @stream_weights
// CHECK: moe.stream_weights %{{.*}}, %{{.*}}, %{{.*}} {epsilon = {{.*}} : f64, iterations = 20 : i64, streams = 4 : i64} : tensor<?x24xf32>, tensor<3xf32>, tensor<24xf32>
// CHECK: moe.stream_weights {{.*}} : tensor<?x4xf32>, tensor<1xf32>, tensor<4xf32>

func.func @around_a_layer(%streams: tensor<?x1024xf32>, %w: tensor<?x24xf32>) -> tensor<?x1024xf32> {
  %x = moe.merge_streams %streams by %w : tensor<?x1024xf32>, tensor<?x24xf32> -> tensor<?x256xf32>
  %y = moe.rms_norm %x {epsilon = 0.0 : f64, group = 256 : i64} : tensor<?x256xf32>
  %next = moe.mix_streams %y into %streams by %w : tensor<?x256xf32>, tensor<?x1024xf32>, tensor<?x24xf32>
  return %next : tensor<?x1024xf32>
}
// CHECK-LABEL: @around_a_layer
// CHECK: moe.merge_streams %{{.*}} by %{{.*}} : tensor<?x1024xf32>, tensor<?x24xf32> -> tensor<?x256xf32>
// CHECK: moe.mix_streams %{{.*}} into %{{.*}} by %{{.*}} : tensor<?x256xf32>, tensor<?x1024xf32>, tensor<?x24xf32>
