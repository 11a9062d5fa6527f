// RUN: moe-opt %s --moe-fuse-linears --check-passes --split-input-file --verify-diagnostics --remark-format=emitRemark --remarks-filter=moe-fuse-linears | FileCheck %s

!rows = tensor<?x64xf32>

// q_a and kv_a become one product over the slices of both, declared once for both phases; nobody asks for the parts any more.
// CHECK-NOT: @l.q_a.weight
// CHECK: moe.weight @"l.{q_a,kv_a}.weight" : tensor<56x64xbf16> = [#moe.slice<"q" in "m" at 0 rows 32>, #moe.slice<"kv" in "m" at 4096 rows 24>]
// CHECK-NOT: moe.weight
// CHECK-LABEL: @prefill
// CHECK: %[[W:.*]] = moe.get_weight @"l.{q_a,kv_a}.weight"
// CHECK: %[[JOINT:.*]] = moe.linear %{{.*}}, %[[W]] {compute = #moe<compute bf16>} : {{.*}} -> tensor<?x56xf32>
// CHECK: moe.columns %[[JOINT]] from 0 : tensor<?x56xf32> -> tensor<?x32xf32>
// CHECK: moe.columns %[[JOINT]] from 32 : tensor<?x56xf32> -> tensor<?x24xf32>
// CHECK-LABEL: @decode
// CHECK: moe.get_weight @"l.{q_a,kv_a}.weight"
moe.weight @l.q_a.weight : tensor<32x64xbf16> = [#moe.slice<"q" in "m" at 0 rows 32>]
moe.weight @l.kv_a.weight : tensor<24x64xbf16> = [#moe.slice<"kv" in "m" at 4096 rows 24>]
func.func @prefill(%x: !rows, %batch: !moe.batch) -> (tensor<?x32xf32>, tensor<?x24xf32>) attributes {moe.phase = "prefill"} {
  %wq = moe.get_weight @l.q_a.weight : tensor<32x64xbf16>
  // One launch of 64 KB and 512 rows of 64 x 4 bytes; the readers are row-wise.
  // expected-remark@below {{2 products of one input: joining saves 192 KB of launches and reads, copies of columns cost 0 KB}}
  %q = moe.linear %x, %wq {compute = #moe<compute bf16>} : !rows, tensor<32x64xbf16> -> tensor<?x32xf32>
  %wkv = moe.get_weight @l.kv_a.weight : tensor<24x64xbf16>
  %kv = moe.linear %x, %wkv {compute = #moe<compute bf16>} : !rows, tensor<24x64xbf16> -> tensor<?x24xf32>
  %qn = moe.rms_norm %q {epsilon = 1.0e-6 : f64, group = 32 : i64} : tensor<?x32xf32>
  %kvn = moe.rms_norm %kv {epsilon = 1.0e-6 : f64, group = 24 : i64} : tensor<?x24xf32>
  return %qn, %kvn : tensor<?x32xf32>, tensor<?x24xf32>
}
func.func @decode(%x: !rows, %batch: !moe.batch) -> (tensor<?x32xf32>, tensor<?x24xf32>) attributes {moe.phase = "decode"} {
  %wq = moe.get_weight @l.q_a.weight : tensor<32x64xbf16>
  // expected-remark@below {{joining saves 64 KB of launches and reads, copies of columns cost 0 KB}}
  %q = moe.linear %x, %wq {compute = #moe<compute bf16>} : !rows, tensor<32x64xbf16> -> tensor<?x32xf32>
  %wkv = moe.get_weight @l.kv_a.weight : tensor<24x64xbf16>
  %kv = moe.linear %x, %wkv {compute = #moe<compute bf16>} : !rows, tensor<24x64xbf16> -> tensor<?x24xf32>
  %qn = moe.rms_norm %q {epsilon = 1.0e-6 : f64, group = 32 : i64} : tensor<?x32xf32>
  %kvn = moe.rms_norm %kv {epsilon = 1.0e-6 : f64, group = 24 : i64} : tensor<?x24xf32>
  return %qn, %kvn : tensor<?x32xf32>, tensor<?x24xf32>
}

// -----

!rows = tensor<?x64xf32>

// Biases are joined as weights are.
// CHECK: moe.weight @"{q,k}.weight" : tensor<48x64xf32>
// CHECK: moe.weight @"{q,k}.bias" : tensor<48xf32>
// CHECK: moe.linear %{{.*}}, %{{.*}} bias %{{.*}}{{ ?}}(tensor<48xf32>)
moe.weight @q.weight : tensor<32x64xf32> = [#moe.slice<"q" in "m" at 0 rows 32>]
moe.weight @q.bias : tensor<32xf32> = [#moe.slice<"qb" in "m" at 0 rows 32>]
moe.weight @k.weight : tensor<16x64xf32> = [#moe.slice<"k" in "m" at 0 rows 16>]
moe.weight @k.bias : tensor<16xf32> = [#moe.slice<"kb" in "m" at 0 rows 16>]
func.func @biases(%x: !rows) -> (tensor<?x32xf32>, tensor<?x16xf32>) {
  %wq = moe.get_weight @q.weight : tensor<32x64xf32>
  %bq = moe.get_weight @q.bias : tensor<32xf32>
  %wk = moe.get_weight @k.weight : tensor<16x64xf32>
  %bk = moe.get_weight @k.bias : tensor<16xf32>
  // expected-remark@below {{2 products of one input}}
  %q = moe.linear %x, %wq bias %bq (tensor<32xf32>) : !rows, tensor<32x64xf32> -> tensor<?x32xf32>
  %k = moe.linear %x, %wk bias %bk (tensor<16xf32>) : !rows, tensor<16x64xf32> -> tensor<?x16xf32>
  %qn = moe.rms_norm %q {epsilon = 1.0e-6 : f64, group = 32 : i64} : tensor<?x32xf32>
  %kn = moe.rms_norm %k {epsilon = 1.0e-6 : f64, group = 16 : i64} : tensor<?x16xf32>
  return %qn, %kn : tensor<?x32xf32>, tensor<?x16xf32>
}

// -----

!rows = tensor<?x64xf32>

// Copies of columns for readers that need whole buffers cost more than one launch saves.
// CHECK-LABEL: @copies
// CHECK-NOT: moe.columns
moe.weight @q : tensor<64x64xf32> = [#moe.slice<"q" in "m" at 0 rows 64>]
moe.weight @k : tensor<64x64xf32> = [#moe.slice<"k" in "m" at 0 rows 64>]
func.func @copies(%x: !rows) -> (!rows, !rows) {
  %wq = moe.get_weight @q : tensor<64x64xf32>
  %wk = moe.get_weight @k : tensor<64x64xf32>
  // expected-remark@below {{2 products of one input: joining saves 64 KB of launches and reads, copies of columns cost 129 KB}}
  %q = moe.linear %x, %wq : !rows, tensor<64x64xf32> -> !rows
  %k = moe.linear %x, %wk : !rows, tensor<64x64xf32> -> !rows
  %y = moe.linear %q, %wq residual %k (!rows) : !rows, tensor<64x64xf32> -> !rows
  return %y, %k : !rows, !rows
}

// -----

!rows = tensor<?x64xf32>

// Products of other inputs, storage types or compute types, with residuals, or of weights whose slices are not known stay apart.
// CHECK-LABEL: @apart
// CHECK-NOT: moe.columns
moe.weight @a : tensor<64x64xf32> = [#moe.slice<"a" in "m" at 0 rows 64>]
moe.weight @b : tensor<64x64xbf16> = [#moe.slice<"b" in "m" at 0 rows 64>]
func.func @apart(%x: !rows, %z: !rows, %w: tensor<64x64xf32>) -> (!rows, !rows, !rows, !rows, !rows, !rows) {
  %wa = moe.get_weight @a : tensor<64x64xf32>
  %wb = moe.get_weight @b : tensor<64x64xbf16>
  %0 = moe.linear %x, %wa : !rows, tensor<64x64xf32> -> !rows
  %1 = moe.linear %z, %wa : !rows, tensor<64x64xf32> -> !rows
  %2 = moe.linear %x, %wb : !rows, tensor<64x64xbf16> -> !rows
  %3 = moe.linear %x, %wb {compute = #moe<compute bf16>} : !rows, tensor<64x64xbf16> -> !rows
  %4 = moe.linear %x, %wa residual %x (!rows) : !rows, tensor<64x64xf32> -> !rows
  %5 = moe.linear %x, %w : !rows, tensor<64x64xf32> -> !rows
  return %0, %1, %2, %3, %4, %5 : !rows, !rows, !rows, !rows, !rows, !rows
}

// -----

!rows = tensor<?x64xf32>

// Names that share more than they have, and one weight read twice, make names too.
// CHECK: moe.weight @"a.b.{weight,b.weight,weight}" : tensor<80x64xf32>
moe.weight @a.b.weight : tensor<32x64xf32> = [#moe.slice<"b" in "m" at 0 rows 32>]
moe.weight @a.b.b.weight : tensor<16x64xf32> = [#moe.slice<"bb" in "m" at 0 rows 16>]
func.func @names(%x: !rows) -> (tensor<?x32xf32>, tensor<?x16xf32>, tensor<?x32xf32>) {
  %w = moe.get_weight @a.b.weight : tensor<32x64xf32>
  %v = moe.get_weight @a.b.b.weight : tensor<16x64xf32>
  // expected-remark@below {{3 products of one input}}
  %p = moe.linear %x, %w : !rows, tensor<32x64xf32> -> tensor<?x32xf32>
  %q = moe.linear %x, %v : !rows, tensor<16x64xf32> -> tensor<?x16xf32>
  %r = moe.linear %x, %w : !rows, tensor<32x64xf32> -> tensor<?x32xf32>
  %pn = moe.rms_norm %p {epsilon = 1.0e-6 : f64, group = 32 : i64} : tensor<?x32xf32>
  %qn = moe.rms_norm %q {epsilon = 1.0e-6 : f64, group = 16 : i64} : tensor<?x16xf32>
  %rn = moe.rms_norm %r {epsilon = 1.0e-6 : f64, group = 32 : i64} : tensor<?x32xf32>
  return %pn, %qn, %rn : tensor<?x32xf32>, tensor<?x16xf32>, tensor<?x32xf32>
}

// -----

// Quantised weights are joined, and so are their scales, where a block of rows that shares a scale ends with the first product.
// CHECK: moe.weight @"{q,k}.weight" : tensor<48x64xf8E4M3FN> = [#moe.slice<"q" in "m" at 0 rows 32>, #moe.slice<"k" in "m" at 4096 rows 16>]
// CHECK: moe.weight @"{q,k}.scale" : tensor<3x2xf32> = [#moe.slice<"qs" in "m" at 8192 rows 2>, #moe.slice<"ks" in "m" at 9216 rows 1>]
// CHECK-LABEL: @aligned
// CHECK: %[[W:.*]] = moe.dequantize %{{.*}} by %{{.*}} as <rows = 16, columns = 32> : tensor<48x64xf8E4M3FN>, tensor<3x2xf32>
// CHECK: moe.linear %{{.*}}, %[[W]]
// CHECK-LABEL: @straddling
// CHECK-COUNT-2: moe.linear
moe.weight @q.weight : tensor<32x64xf8E4M3FN> = [#moe.slice<"q" in "m" at 0 rows 32>]
moe.weight @q.scale : tensor<2x2xf32> = [#moe.slice<"qs" in "m" at 8192 rows 2>]
moe.weight @k.weight : tensor<16x64xf8E4M3FN> = [#moe.slice<"k" in "m" at 4096 rows 16>]
moe.weight @k.scale : tensor<1x2xf32> = [#moe.slice<"ks" in "m" at 9216 rows 1>]
func.func @aligned(%x: tensor<?x64xf32>) -> (tensor<?x32xf32>, tensor<?x16xf32>) attributes {moe.phase = "decode"} {
  %qv = moe.get_weight @q.weight : tensor<32x64xf8E4M3FN>
  %qs = moe.get_weight @q.scale : tensor<2x2xf32>
  %wq = moe.dequantize %qv by %qs as <rows = 16, columns = 32> : tensor<32x64xf8E4M3FN>, tensor<2x2xf32>
  // expected-remark@below {{2 products of one input: joining saves}}
  %q = moe.linear %x, %wq : tensor<?x64xf32>, tensor<32x64xf32> -> tensor<?x32xf32>
  %kv = moe.get_weight @k.weight : tensor<16x64xf8E4M3FN>
  %ks = moe.get_weight @k.scale : tensor<1x2xf32>
  %wk = moe.dequantize %kv by %ks as <rows = 16, columns = 32> : tensor<16x64xf8E4M3FN>, tensor<1x2xf32>
  %k = moe.linear %x, %wk : tensor<?x64xf32>, tensor<16x64xf32> -> tensor<?x16xf32>
  %qn = moe.rms_norm %q {epsilon = 1.0e-6 : f64, group = 32 : i64} : tensor<?x32xf32>
  %kn = moe.rms_norm %k {epsilon = 1.0e-6 : f64, group = 16 : i64} : tensor<?x16xf32>
  return %qn, %kn : tensor<?x32xf32>, tensor<?x16xf32>
}
moe.weight @a.weight : tensor<24x64xf8E4M3FN> = [#moe.slice<"a" in "m" at 0 rows 24>]
moe.weight @a.scale : tensor<2x2xf32> = [#moe.slice<"as" in "m" at 8192 rows 2>]
func.func @straddling(%x: tensor<?x64xf32>) -> (tensor<?x24xf32>, tensor<?x24xf32>) attributes {moe.phase = "decode"} {
  %av = moe.get_weight @a.weight : tensor<24x64xf8E4M3FN>
  %as = moe.get_weight @a.scale : tensor<2x2xf32>
  %wa = moe.dequantize %av by %as as <rows = 16, columns = 32> : tensor<24x64xf8E4M3FN>, tensor<2x2xf32>
  // expected-remark@below {{blocks of rows that share a scale do not end where the products end}}
  %a = moe.linear %x, %wa : tensor<?x64xf32>, tensor<24x64xf32> -> tensor<?x24xf32>
  %b = moe.linear %x, %wa : tensor<?x64xf32>, tensor<24x64xf32> -> tensor<?x24xf32>
  return %a, %b : tensor<?x24xf32>, tensor<?x24xf32>
}
