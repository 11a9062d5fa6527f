// RUN: moe-opt %s --moe-normalize --moe-optimize=compute=bf16 | FileCheck %s
// RUN: moe-opt %s --moe-normalize | moe-opt --moe-optimize=compute=bf16 | FileCheck %s
// RUN: moe-opt %s --moe-normalize --moe-optimize --check-passes --moe-explain -o /dev/null 2>&1 | FileCheck %s --check-prefix=TABLE --match-full-lines

// A layer of DeepSeek-V3's shape becomes two programs of a few kernels; the phases can be run apart.
// CHECK-LABEL: @prefill
// CHECK: moe.embed
// CHECK: moe.rowwise
// CHECK: moe.linear {{.*}} -> tensor<?x72xf32>
// CHECK: moe.rowwise
// CHECK: moe.append
// CHECK: moe.linear
// CHECK: moe.rowwise
// CHECK: moe.latent_attention
// CHECK: moe.linear {{.*}} residual
// CHECK: moe.rowwise
// CHECK: moe.linear {{.*}} -> tensor<?x8xf32>
// CHECK: moe.gather_outputs
// CHECK: moe.fused_experts {{.*}} shared {{.*}} residual
// CHECK: moe.rowwise
// CHECK: moe.linear
// CHECK-LABEL: @decode
// CHECK: moe.absorbed_attention

// The table has a row for each pass that saves something.
// TABLE: function     after                                 MFLOP           MB  launches   saved MFLOP    saved MB  saved launches
// TABLE-NEXT: step         start                                  8.79         0.26        26          0.00        0.00               0
// TABLE-NEXT: prefill      moe-specialize-phases                 78.26         5.61        26          0.00        0.00               0
// TABLE-NEXT: prefill      moe-fuse-experts                      78.26         5.60        26          0.00        0.01               0
// TABLE-NEXT: prefill      moe-fold-shared-experts               78.23         4.95        23          0.03        0.66               3
// TABLE-NEXT: prefill      moe-fuse-residuals                    78.16         4.42        21          0.07        0.52               2
// TABLE-NEXT: prefill      moe-narrow-to-outputs                 59.32         3.86        24         18.84        0.56              -3
// TABLE-NEXT: prefill      moe-fuse-linears                      59.32         3.73        23          0.00        0.13               1
// TABLE-NEXT: prefill      moe-fuse-rowwise                      59.32         3.56        20          0.00        0.17               3
// TABLE-NEXT: decode       moe-specialize-phases                  8.79         0.26        26          0.00        0.00               0
// TABLE-NEXT: decode       moe-absorb-latent-attention            0.67         0.26        26          8.12        0.00               0
// TABLE-NEXT: decode       moe-fuse-experts                       0.67         0.26        26          0.00        0.00               0
// TABLE-NEXT: decode       moe-fold-shared-experts                0.67         0.26        23          0.00        0.00               3
// TABLE-NEXT: decode       moe-fuse-residuals                     0.67         0.26        21          0.00        0.00               2
// TABLE-NEXT: decode       moe-fuse-linears                       0.67         0.26        20          0.00        0.00               1
// TABLE-NEXT: decode       moe-fuse-rowwise                       0.67         0.26        17          0.00        0.00               3

module attributes {moe.folder = "/models/v3", moe.family = "deepseek_v3", moe.max_positions = 2048 : i64} {
  moe.weight @embed : tensor<96x64xbf16> = [#moe.slice<"embed" in "m" at 0 rows 96>]
  moe.weight @a.n1 : tensor<64xbf16> = [#moe.slice<"n1" in "m" at 0 rows 64>]
  moe.weight @a.q_a.weight : tensor<32x64xbf16> = [#moe.slice<"q_a" in "m" at 0 rows 32>]
  moe.weight @a.q_norm : tensor<32xbf16> = [#moe.slice<"qn" in "m" at 0 rows 32>]
  moe.weight @a.q_b.weight : tensor<96x32xbf16> = [#moe.slice<"q_b" in "m" at 0 rows 96>]
  moe.weight @a.kv_a.weight : tensor<40x64xbf16> = [#moe.slice<"kv_a" in "m" at 0 rows 40>]
  moe.weight @a.kv_norm : tensor<32xbf16> = [#moe.slice<"kvn" in "m" at 0 rows 32>]
  moe.weight @a.uk : tensor<4x16x32xbf16> = [#moe.slice<"uk" in "m" at 0 rows 4>]
  moe.weight @a.uv : tensor<4x16x32xbf16> = [#moe.slice<"uv" in "m" at 0 rows 4>]
  moe.weight @a.o : tensor<64x64xbf16> = [#moe.slice<"o" in "m" at 0 rows 64>]
  moe.weight @a.n2 : tensor<64xbf16> = [#moe.slice<"n2" in "m" at 0 rows 64>]
  moe.weight @a.router : tensor<8x64xbf16> = [#moe.slice<"r" in "m" at 0 rows 8>]
  moe.weight @a.bias : tensor<8xf32> = [#moe.slice<"b" in "m" at 0 rows 8>]
  moe.weight @a.gate : tensor<8x32x64xbf16> = [#moe.slice<"g" in "m" at 0 rows 8>]
  moe.weight @a.up : tensor<8x32x64xbf16> = [#moe.slice<"u" in "m" at 0 rows 8>]
  moe.weight @a.down : tensor<8x64x32xbf16> = [#moe.slice<"d" in "m" at 0 rows 8>]
  moe.weight @a.sgate : tensor<32x64xbf16> = [#moe.slice<"sg" in "m" at 0 rows 32>]
  moe.weight @a.sup : tensor<32x64xbf16> = [#moe.slice<"su" in "m" at 0 rows 32>]
  moe.weight @a.sdown : tensor<64x32xbf16> = [#moe.slice<"sd" in "m" at 0 rows 64>]
  moe.weight @norm : tensor<64xbf16> = [#moe.slice<"norm" in "m" at 0 rows 64>]
  moe.weight @head : tensor<96x64xbf16> = [#moe.slice<"head" in "m" at 0 rows 96>]
  moe.cache @layers.0.latent : tensor<?x40xf32>
  func.func @step(%ids: tensor<?xi32>, %batch: !moe.batch) -> (tensor<?x96xf32> {moe.output = "logits"}, tensor<?x2xi32> {moe.output = "routing.0"}) {
    %e = moe.get_weight @embed : tensor<96x64xbf16>
    %x = moe.embed %ids, %e : tensor<96x64xbf16> -> tensor<?x64xf32>
    %n1 = moe.get_weight @a.n1 : tensor<64xbf16>
    %h = moe.rms_norm %x, %n1 {epsilon = 1.0e-6 : f64} : tensor<?x64xf32>, tensor<64xbf16>
    %wqa = moe.get_weight @a.q_a.weight : tensor<32x64xbf16>
    %qa = moe.linear %h, %wqa : tensor<?x64xf32>, tensor<32x64xbf16> -> tensor<?x32xf32>
    %qn = moe.get_weight @a.q_norm : tensor<32xbf16>
    %qan = moe.rms_norm %qa, %qn {epsilon = 1.0e-6 : f64} : tensor<?x32xf32>, tensor<32xbf16>
    %wqb = moe.get_weight @a.q_b.weight : tensor<96x32xbf16>
    %q = moe.linear %qan, %wqb : tensor<?x32xf32>, tensor<96x32xbf16> -> tensor<?x96xf32>
    %qr = moe.rope %q at %batch {head_dim = 24 : i64, rotary = #moe.rotary<dims = 8, theta = 1.0e4, layout = interleaved, offset = 16>} : tensor<?x96xf32>
    %wkv = moe.get_weight @a.kv_a.weight : tensor<40x64xbf16>
    %kv = moe.linear %h, %wkv : tensor<?x64xf32>, tensor<40x64xbf16> -> tensor<?x40xf32>
    %lat = moe.columns %kv from 0 : tensor<?x40xf32> -> tensor<?x32xf32>
    %pe = moe.columns %kv from 32 : tensor<?x40xf32> -> tensor<?x8xf32>
    %kvn = moe.get_weight @a.kv_norm : tensor<32xbf16>
    %ln = moe.rms_norm %lat, %kvn {epsilon = 1.0e-6 : f64} : tensor<?x32xf32>, tensor<32xbf16>
    %per = moe.rope %pe at %batch {head_dim = 8 : i64, rotary = #moe.rotary<dims = 8, theta = 1.0e4, layout = interleaved>} : tensor<?x8xf32>
    moe.append %ln, %per to @layers.0.latent at %batch : tensor<?x32xf32>, tensor<?x8xf32>
    %uk = moe.get_weight @a.uk : tensor<4x16x32xbf16>
    %uv = moe.get_weight @a.uv : tensor<4x16x32xbf16>
    %a = moe.latent_attention %qr over @layers.0.latent at %batch with %uk, %uv {scale = 0.2 : f64} : tensor<?x96xf32>, tensor<4x16x32xbf16>, tensor<4x16x32xbf16> -> tensor<?x64xf32>
    %wo = moe.get_weight @a.o : tensor<64x64xbf16>
    %o = moe.linear %a, %wo : tensor<?x64xf32>, tensor<64x64xbf16> -> tensor<?x64xf32>
    %x1 = arith.addf %x, %o : tensor<?x64xf32>
    %n2 = moe.get_weight @a.n2 : tensor<64xbf16>
    %h2 = moe.rms_norm %x1, %n2 {epsilon = 1.0e-6 : f64} : tensor<?x64xf32>, tensor<64xbf16>
    %wr = moe.get_weight @a.router : tensor<8x64xbf16>
    %l = moe.linear %h2, %wr : tensor<?x64xf32>, tensor<8x64xbf16> -> tensor<?x8xf32>
    %b = moe.get_weight @a.bias : tensor<8xf32>
    %eids, %ew = moe.route %l bias %b (tensor<8xf32>) {routing = #moe.routing<k = 2, score = sigmoid, renormalize = true, epsilon = 1.0e-20, scale = 2.5>} : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
    %g = moe.get_weight @a.gate : tensor<8x32x64xbf16>
    %u = moe.get_weight @a.up : tensor<8x32x64xbf16>
    %d = moe.get_weight @a.down : tensor<8x64x32xbf16>
    %m = moe.experts %h2 to %eids, %ew with %g, %u, %d {activation = #moe.activation<kind = silu>} : tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16>, tensor<8x64x32xbf16> -> tensor<?x64xf32>
    %sg = moe.get_weight @a.sgate : tensor<32x64xbf16>
    %su = moe.get_weight @a.sup : tensor<32x64xbf16>
    %sd = moe.get_weight @a.sdown : tensor<64x32xbf16>
    %s = moe.gated_mlp %h2, %sg, %su, %sd {activation = #moe.activation<kind = silu>} : tensor<?x64xf32>, tensor<32x64xbf16>, tensor<32x64xbf16>, tensor<64x32xbf16> -> tensor<?x64xf32>
    %ms = arith.addf %m, %s : tensor<?x64xf32>
    %x2 = arith.addf %x1, %ms : tensor<?x64xf32>
    %last = moe.gather_outputs %x2 at %batch : tensor<?x64xf32>
    %nf = moe.get_weight @norm : tensor<64xbf16>
    %f = moe.rms_norm %last, %nf {epsilon = 1.0e-6 : f64} : tensor<?x64xf32>, tensor<64xbf16>
    %wh = moe.get_weight @head : tensor<96x64xbf16>
    %logits = moe.linear %f, %wh : tensor<?x64xf32>, tensor<96x64xbf16> -> tensor<?x96xf32>
    return %logits, %eids : tensor<?x96xf32>, tensor<?x2xi32>
  }
}
