// RUN: moe-opt %s --moe-fuse-rowwise --check-passes --verify-diagnostics --remark-format=emitRemark --remarks-filter=moe-fuse-rowwise | FileCheck %s

!rows = tensor<?x64xf32>
!square = tensor<64x64xbf16>

moe.cache @keys : tensor<?x64xf32>

// What lies between two kernels is one group; it yields what others read and takes weights as inputs.
// CHECK-LABEL: @between
// CHECK-SAME: (%[[X:.*]]: tensor<?x64xf32>, %[[Y:.*]]: tensor<?x64xf32>, %[[N:.*]]: tensor<64xbf16>, %[[W:.*]]: tensor<64x64xbf16>)
// CHECK-NEXT: %[[G:.*]]:2 = moe.rowwise(%[[X]], %[[Y]], %[[N]]) : (tensor<?x64xf32>, tensor<?x64xf32>, tensor<64xbf16>) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
// CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<?x64xf32>, %[[B:.*]]: tensor<?x64xf32>, %[[V:.*]]: tensor<64xbf16>):
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[A]], %[[B]]
// CHECK-NEXT: %[[M:.*]] = moe.rms_norm %[[S]], %[[V]]
// CHECK-NEXT: moe.yield %[[S]], %[[M]]
// CHECK: moe.linear %[[G]]#1, %[[W]] residual %[[G]]#0
// expected-remark@below {{2 row-wise ops in 1 groups}}
func.func @between(%x: !rows, %y: !rows, %n: tensor<64xbf16>, %w: !square) -> !rows {
  %s = arith.addf %x, %y : !rows
  %m = moe.rms_norm %s, %n {epsilon = 1.0e-6 : f64} : !rows, tensor<64xbf16>
  %o = moe.linear %m, %w residual %s (!rows) : !rows, !square -> !rows
  return %o : !rows
}

// Work that can wait joins work that cannot run earlier: the norm of %b waits for the rope behind the second product.
// CHECK-LABEL: @waits
// CHECK-NEXT: moe.linear
// CHECK-NEXT: moe.linear
// CHECK-NEXT: moe.rowwise
// CHECK: moe.rms_norm
// CHECK-NEXT: moe.rope
// CHECK: moe.attention
// CHECK-NOT: moe.rowwise
// expected-remark@below {{3 row-wise ops in 1 groups}}
func.func @waits(%x: !rows, %batch: !moe.batch, %w: !square) -> !rows {
  %a = moe.linear %x, %w : !rows, !square -> !rows
  %n = moe.rms_norm %a {epsilon = 1.0e-6 : f64, group = 16 : i64} : !rows
  %b = moe.linear %x, %w : !rows, !square -> !rows
  %r = moe.rope %b at %batch {head_dim = 16 : i64, rotary = #moe.rotary<dims = 16, theta = 1.0e4, layout = half>} : !rows
  moe.append %n to @keys at %batch : !rows
  %o = moe.attention %r over @keys, @keys at %batch {head_dim = 16 : i64, scale = 0.25 : f64} : !rows -> !rows
  return %o : !rows
}

// Columns go where they are read.
// CHECK-LABEL: @columns
// CHECK: %[[J:.*]] = moe.linear
// CHECK-NEXT: moe.rowwise(%[[J]])
// CHECK-NOT: from 64
// CHECK: %[[B:.*]] = moe.linear
// CHECK-NEXT: moe.rowwise(%[[J]], %[[B]])
// CHECK: moe.columns %{{.*}} from 64
// CHECK-NEXT: arith.addf
// expected-remark@below {{4 row-wise ops in 2 groups}}
func.func @columns(%x: !rows, %wide: tensor<128x64xbf16>, %w: !square) -> !rows {
  %j = moe.linear %x, %wide : !rows, tensor<128x64xbf16> -> tensor<?x128xf32>
  %c = moe.columns %j from 0 : tensor<?x128xf32> -> !rows
  %d = moe.columns %j from 64 : tensor<?x128xf32> -> !rows
  %n = moe.rms_norm %c {epsilon = 1.0e-6 : f64, group = 64 : i64} : !rows
  %b = moe.linear %n, %w : !rows, !square -> !rows
  %s = arith.addf %b, %d : !rows
  return %s : !rows
}

// Two writes of a cache keep the read between them.
// CHECK-LABEL: @cache_order
// CHECK-NEXT: moe.rowwise
// CHECK: moe.append
// CHECK: moe.attention
// CHECK-NEXT: moe.rowwise
// CHECK: moe.append
// CHECK: moe.attention
// expected-remark@below {{2 row-wise ops in 2 groups}}
func.func @cache_order(%x: !rows, %y: !rows, %batch: !moe.batch) -> (!rows, !rows) {
  moe.append %x to @keys at %batch : !rows
  %a = moe.attention %x over @keys, @keys at %batch {head_dim = 16 : i64, scale = 0.25 : f64} : !rows -> !rows
  moe.append %y to @keys at %batch : !rows
  %b = moe.attention %x over @keys, @keys at %batch {head_dim = 16 : i64, scale = 0.25 : f64} : !rows -> !rows
  return %a, %b : !rows, !rows
}

// Rows of tokens and rows of outputs stay apart.
// CHECK-LABEL: @outputs
// CHECK: %[[LAST:.*]] = moe.gather_outputs
// CHECK-DAG: moe.rowwise(%[[LAST]])
// CHECK-DAG: moe.rowwise(%arg0)
// CHECK: return
// expected-remark@below {{2 row-wise ops in 2 groups}}
func.func @outputs(%x: !rows, %batch: !moe.batch) -> (!rows, !rows) {
  %t = moe.rms_norm %x {epsilon = 1.0e-6 : f64, group = 64 : i64} : !rows
  %last = moe.gather_outputs %x at %batch : !rows
  %o = moe.rms_norm %last {epsilon = 1.0e-6 : f64, group = 64 : i64} : !rows
  return %t, %o : !rows, !rows
}

// A weight that is fetched after the place of its group moves up.
// CHECK-LABEL: @weight_behind
// CHECK-NEXT: moe.linear
// CHECK-NEXT: %[[N:.*]] = moe.get_weight @norm
// CHECK-NEXT: moe.rowwise(%{{.*}}, %[[N]])
moe.weight @norm : tensor<64xbf16> = [#moe.slice<"norm" in "m" at 0 rows 64>]
// expected-remark@below {{2 row-wise ops in 1 groups}}
func.func @weight_behind(%x: !rows, %w: !square) -> (!rows, !rows) {
  %a = moe.linear %x, %w : !rows, !square -> !rows
  %m = moe.rms_norm %a {epsilon = 1.0e-6 : f64, group = 64 : i64} : !rows
  %b = moe.linear %m, %w : !rows, !square -> !rows
  %n = moe.get_weight @norm : tensor<64xbf16>
  %c = moe.rms_norm %a, %n {epsilon = 1.0e-6 : f64} : !rows, tensor<64xbf16>
  return %b, %c : !rows, !rows
}

// Without row-wise ops there is nothing to group.
// CHECK-LABEL: @nothing
// CHECK-NOT: moe.rowwise
func.func @nothing(%x: !rows, %w: !square) -> !rows {
  %a = moe.linear %x, %w : !rows, !square -> !rows
  return %a : !rows
}
