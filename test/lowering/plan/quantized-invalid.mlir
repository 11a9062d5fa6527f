// What no kernel reads quantised is refused by name.
// RUN: moe-opt %s --split-input-file --plan-cut-kernels='max-tokens=8' --verify-diagnostics

plan.model "tiny" {vocabulary = 8 : i64, layers = 1 : i64, parameters = 64 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
moe.weight @v : tensor<8x64xi8> = [#moe.slice<"v" in "f" at 0 rows 8>]
moe.weight @s : tensor<8x1xf32> = [#moe.slice<"s" in "f" at 512 rows 8>]
func.func @decode(%ids: tensor<?xi32>, %batch: !moe.batch) -> (tensor<?x64xf32> {moe.output = "a"}) attributes {moe.phase = "decode"} {
  %v = moe.get_weight @v : tensor<8x64xi8>
  %s = moe.get_weight @s : tensor<8x1xf32>
  %t = moe.dequantize %v by %s as <rows = 1, columns = 64> : tensor<8x64xi8>, tensor<8x1xf32>
  // expected-error @below {{expected weights of plain numbers; no kernel of this op dequantises them}}
  %x = moe.embed %ids, %t : tensor<8x64xf32> -> tensor<?x64xf32>
  return %x : tensor<?x64xf32>
}

// -----

plan.model "tiny" {vocabulary = 8 : i64, layers = 1 : i64, parameters = 64 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
moe.weight @table : tensor<8x64xf32> = [#moe.slice<"t" in "f" at 4096 rows 8>]
moe.weight @gate : tensor<8x64xbf16> = [#moe.slice<"g" in "f" at 0 rows 8>]
moe.weight @up : tensor<8x64xf32> = [#moe.slice<"u" in "f" at 1024 rows 8>]
func.func @decode(%ids: tensor<?xi32>, %batch: !moe.batch) -> (tensor<?x8xf32> {moe.output = "a"}) attributes {moe.phase = "decode"} {
  %t = moe.get_weight @table : tensor<8x64xf32>
  %x = moe.embed %ids, %t : tensor<8x64xf32> -> tensor<?x64xf32>
  %g = moe.get_weight @gate : tensor<8x64xbf16>
  %u = moe.get_weight @up : tensor<8x64xf32>
  // expected-error @below {{expected weights stored in the same types and number formats; no kernel takes several}}
  %y = moe.gate_up %x, %g, %u {activation = #moe.activation<kind = silu>} : tensor<?x64xf32>, tensor<8x64xbf16>, tensor<8x64xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
