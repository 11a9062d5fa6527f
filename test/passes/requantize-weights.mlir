// RUN: moe-opt %s --moe-requantize-weights=format=int8 | FileCheck %s --check-prefixes=CHECK,INT8
// RUN: moe-opt %s --moe-requantize-weights=format=int4 --verify-diagnostics --remark-format=emitRemark --remarks-filter=moe-requantize-weights | FileCheck %s --check-prefixes=CHECK,INT4
// RUN: moe-opt %s --moe-requantize-weights | FileCheck %s --check-prefix=STORED

!rows = tensor<?x64xf32>
!ids = tensor<?x2xi32>
!weights = tensor<?x2xf32>
!logits = tensor<?x4xf32>

// What is computed is said once, with where its numbers and scales are stored.
// INT8: moe.requantized = {
// INT8-DAG: head.int8 = {columns = 64 : i64, element = i8, values = {slices = [#moe.slice<"head" in "m" at 8192 rows 96>], type = tensor<96x64xbf16>}}
// INT8-DAG: q.int8 = {columns = 64 : i64, element = i8, format = #moe.number_format<rows = 64, columns = 64>, scales = {slices = [#moe.slice<"q.scale" in "m" at 24576 rows 1>], type = tensor<1x1xf32>}, values = {slices = [#moe.slice<"q" in "m" at 20480 rows 64>], type = tensor<64x64xf8E4M3FN>}}
// INT4: moe.requantized = {
// INT4-DAG: experts.int4 = {columns = 32 : i64, element = ui4, values = {slices = [#moe.slice<"experts" in "m" at 40960 rows 1 times 4 every 8192>], type = tensor<4x64x64xbf16>}}
// STORED-NOT: moe.requantized

// Numbers come first in a file, scales behind them; experts and heads stay parts.
// INT4-DAG: moe.weight @experts.int4 : tensor<4x64x64xui4> = [#moe.slice<"experts.int4" in "experts.int4" at 0 rows 1 times 4 every 2048>]
// INT4-DAG: moe.weight @experts.int4.scales : tensor<4x64x2xbf16> = [#moe.slice<"experts.int4.scales" in "experts.int4" at 8192 rows 1 times 4 every 256>]
// INT8-DAG: moe.weight @experts.int8.scales : tensor<4x64x1xbf16> = [#moe.slice<"experts.int8.scales" in "experts.int8" at 16384 rows 1 times 4 every 128>]
// CHECK-DAG: moe.weight @packed : tensor<64x64xf4E2M1FN>
moe.weight @router : tensor<4x64xbf16> = [#moe.slice<"router" in "m" at 0 rows 4>]
moe.weight @head : tensor<96x64xbf16> = [#moe.slice<"head" in "m" at 8192 rows 96>]
moe.weight @q : tensor<64x64xf8E4M3FN> = [#moe.slice<"q" in "m" at 20480 rows 64>]
moe.weight @q.scale : tensor<1x1xf32> = [#moe.slice<"q.scale" in "m" at 24576 rows 1>]
moe.weight @bias : tensor<4x64xbf16> = [#moe.slice<"bias" in "m" at 28672 rows 4>]
moe.weight @packed : tensor<64x64xf4E2M1FN> = [#moe.slice<"packed" in "m" at 32768 rows 64>]
moe.weight @packed.scale : tensor<64x2xf8E8M0FNU> = [#moe.slice<"packed.scale" in "m" at 36864 rows 64>]
moe.weight @experts : tensor<4x64x64xbf16> = [#moe.slice<"experts" in "m" at 40960 rows 1 times 4 every 8192>]

// Routers, biases, and what has four bits already stay as they are; the head has eight bits.
// CHECK-LABEL: @step
// CHECK-DAG: %[[ROUTER:.*]] = moe.get_weight @router : tensor<4x64xbf16>
// CHECK-DAG: %[[BIAS:.*]] = moe.get_weight @bias : tensor<4x64xbf16>
// CHECK-DAG: moe.dequantize {{.*}} as <rows = 1, columns = 32> : tensor<64x64xf4E2M1FN>
// INT4-DAG: moe.dequantize {{.*}} as <rows = 1, columns = 32, zero_point = 8> : tensor<64x64xui4>, tensor<64x2xbf16>
// CHECK-DAG: %[[HEAD:.*]] = moe.dequantize {{.*}} as <rows = 1, columns = 64> : tensor<96x64xi8>, tensor<96x1xbf16>
// CHECK: moe.linear %{{.*}}, %[[ROUTER]]
// CHECK: moe.experts {{.*}} biases %[[BIAS]], %[[BIAS]], %[[BIAS]]
// CHECK: moe.linear %{{.*}}, %[[HEAD]]
func.func @step(%x: !rows) -> (tensor<?x96xf32> {moe.output = "logits"}) {
  %router = moe.get_weight @router : tensor<4x64xbf16>
  // expected-remark @below {{'head' from 16 to 8 bits in groups of 64: 12 KB become 6}}
  %head = moe.get_weight @head : tensor<96x64xbf16>
  %q8 = moe.get_weight @q : tensor<64x64xf8E4M3FN>
  %s = moe.get_weight @q.scale : tensor<1x1xf32>
  // expected-remark @below {{'q' from 8 to 4 bits in groups of 32: 4 KB become 2}}
  %q = moe.dequantize %q8 by %s as <rows = 64, columns = 64> : tensor<64x64xf8E4M3FN>, tensor<1x1xf32>
  %p4 = moe.get_weight @packed : tensor<64x64xf4E2M1FN>
  %e8 = moe.get_weight @packed.scale : tensor<64x2xf8E8M0FNU>
  // expected-remark @below {{'packed' is stored in 4 bits: rounding again would only lose}}
  %packed = moe.dequantize %p4 by %e8 as <rows = 1, columns = 32> : tensor<64x64xf4E2M1FN>, tensor<64x2xf8E8M0FNU>
  %bias = moe.get_weight @bias : tensor<4x64xbf16>
  // expected-remark @below {{'experts' from 16 to 4 bits in groups of 32: 32 KB become 9}}
  %experts = moe.get_weight @experts : tensor<4x64x64xbf16>
  %a = moe.linear %x, %q : !rows, tensor<64x64xf32> -> !rows
  %b = moe.linear %a, %packed : !rows, tensor<64x64xf32> -> !rows
  %logits = moe.linear %b, %router : !rows, tensor<4x64xbf16> -> !logits
  %ids, %weights = moe.route %logits {routing = #moe.routing<k = 2, score = softmax>} : !logits -> !ids, !weights
  %y = moe.experts %b to %ids, %weights with %experts, %experts, %experts biases %bias, %bias, %bias (tensor<4x64xbf16>, tensor<4x64xbf16>, tensor<4x64xbf16>)
    {activation = #moe.activation<kind = silu>} : !rows, !ids, !weights, tensor<4x64x64xbf16>, tensor<4x64x64xbf16>, tensor<4x64x64xbf16> -> !rows
  %out = moe.linear %y, %head : !rows, tensor<96x64xbf16> -> tensor<?x96xf32>
  return %out : tensor<?x96xf32>
}

// What projects groups of heads is rounded; what weighs residual streams, and heads that choose positions, is not.
// INT8-LABEL: @streams
// INT8-DAG: %[[FN:.*]] = moe.get_weight @fn : tensor<8x64xf32>
// INT8-DAG: %[[HEADS:.*]] = moe.get_weight @heads : tensor<4x64xbf16>
// INT8-DAG: %[[GROUPED:.*]] = moe.dequantize {{.*}} as <rows = 1, columns = 32> : tensor<64x32xi8>, tensor<64x1xbf16>
// INT8-DAG: moe.linear %{{.*}}, %[[FN]]
// INT8-DAG: moe.linear %{{.*}}, %[[HEADS]]
// INT8-DAG: moe.grouped_linear %{{.*}}, %[[GROUPED]]
moe.weight @fn : tensor<8x64xf32> = [#moe.slice<"fn" in "m" at 81920 rows 8>]
moe.weight @factor : tensor<3xf32> = [#moe.slice<"factor" in "m" at 86016 rows 3>]
moe.weight @base : tensor<8xf32> = [#moe.slice<"base" in "m" at 86080 rows 8>]
moe.weight @heads : tensor<4x64xbf16> = [#moe.slice<"heads" in "m" at 86144 rows 4>]
moe.weight @grouped : tensor<64x32xbf16> = [#moe.slice<"grouped" in "m" at 90112 rows 64>]
moe.cache @keys : tensor<?x16xf32>
func.func @streams(%s: !rows, %batch: !moe.batch) -> !rows {
  %fn = moe.get_weight @fn : tensor<8x64xf32>
  %factor = moe.get_weight @factor : tensor<3xf32>
  %base = moe.get_weight @base : tensor<8xf32>
  %heads = moe.get_weight @heads : tensor<4x64xbf16>
  // expected-remark @below {{'grouped' from 16 to 4 bits in groups of 32: 4 KB become 1}}
  %grouped = moe.get_weight @grouped : tensor<64x32xbf16>
  %l = moe.linear %s, %fn : !rows, tensor<8x64xf32> -> tensor<?x8xf32>
  %w = moe.stream_weights %l, %factor, %base {streams = 2 : i64, iterations = 4 : i64, epsilon = 1.0e-6 : f64}
    : tensor<?x8xf32>, tensor<3xf32>, tensor<8xf32>
  %x = moe.merge_streams %s by %w : !rows, tensor<?x8xf32> -> tensor<?x32xf32>
  %h = moe.linear %s, %heads : !rows, tensor<4x64xbf16> -> tensor<?x4xf32>
  %p = moe.select_positions %s, %h over @keys at %batch : !rows, tensor<?x4xf32> -> tensor<?x8xi32>
  %g = moe.grouped_linear %s, %grouped : !rows, tensor<64x32xbf16> -> !rows
  return %g : !rows
}
