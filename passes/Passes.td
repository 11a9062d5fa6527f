// The passes over the moe dialect: better moe out of moe.
#ifndef MOEC_PASSES_PASSES_TD
#define MOEC_PASSES_PASSES_TD

include "mlir/Pass/PassBase.td"

//===- Normalize ------------------------------------------------------------------------------------------------------------===//

def NormalizeRouting : Pass<"moe-normalize-routing", "::mlir::ModuleOp"> {
  let summary = "bring routing that is written in several ways to one of them";
  let description = [{
    Softmax over all experts, of which those chosen are made to sum to one, is the softmax over those chosen. Without groups, nothing
    is said of them.

    Before:
    ```mlir
    %ids, %w = moe.route %l {routing = #moe.routing<k = 2, score = softmax, renormalize = true>} : ...
    ```
    After:
    ```mlir
    %ids, %w = moe.route %l {routing = #moe.routing<k = 2, score = softmax_topk>} : ...
    ```
  }];
}

def VerifyNormalized : Pass<"moe-verify-normalized", "::mlir::ModuleOp"> {
  let summary = "check that a module is a model as importers write it";
  let description = [{
    The contract of the normalize phase. Ops: `func`, the `moe` ops that say what a model means (not how it is fused or run), and
    upstream `arith`, `math`, `tensor`, `linalg`, `scf` and `cf.assert` for what no `moe` op covers. No function is specialised for a phase, and
    matrix products take their activations in f32.
  }];
}

//===- Optimize -------------------------------------------------------------------------------------------------------------===//

def RequantizeWeights : Pass<"moe-requantize-weights", "::mlir::ModuleOp"> {
  let summary = "round the weights of products to integers of which neighbours share a scale";
  let description = [{
    With `format=int8` in groups of 128 neighbours of a row, with `format=int4` in groups of 32. Whatever products read is rounded,
    from whatever format it is stored in, but for routers and other small matrices that weigh streams or heads that choose positions, and
    for what is stored in four bits already. The head that makes the
    logits and the factors of latent attention have eight bits also with `format=int4`. Embeddings, norms and biases stay.

    No bytes are touched: the module's attribute `moe.requantized` says what files the compiler is to compute, and slices refer to
    them. Scales are bf16.

    Before, with `format=int8`:
    ```mlir
    moe.weight @w : tensor<64x256xbf16> = [#moe.slice<"w" in "model.safetensors" at 4096 rows 64>]
    %w = moe.get_weight @w : tensor<64x256xbf16>
    ```
    After:
    ```mlir
    module attributes {moe.requantized = {w.int8 = {columns = 128 : i64, element = i8, values = {...}}}}
    moe.weight @w.int8 : tensor<64x256xi8> = [#moe.slice<"w.int8" in "w.int8" at 0 rows 64>]
    moe.weight @w.int8.scales : tensor<64x2xbf16> = [#moe.slice<"w.int8.scales" in "w.int8" at 16384 rows 64>]
    %v = moe.get_weight @w.int8 : tensor<64x256xi8>
    %s = moe.get_weight @w.int8.scales : tensor<64x2xbf16>
    %w = moe.dequantize %v by %s as <rows = 1, columns = 128> : tensor<64x256xi8>, tensor<64x2xbf16>
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect"];
  let options = [
    Option<"format", "format", "::moec::passes::WeightFormat", "::moec::passes::WeightFormat::AsStored",
           "what the weights of products are rounded to",
           [{::llvm::cl::values(clEnumValN(::moec::passes::WeightFormat::AsStored, "as-stored", "nothing"),
                                clEnumValN(::moec::passes::WeightFormat::Int8, "int8", "8 bits, groups of 128"),
                                clEnumValN(::moec::passes::WeightFormat::Int4, "int4", "4 bits, groups of 32"))}]>,
  ];
}

def ChooseNumberFormats : Pass<"moe-choose-number-formats", "::mlir::ModuleOp"> {
  let summary = "set the type in which activations enter matrix products, and that of the caches";
  let description = [{
    With `compute=bf16` products whose weights are stored in bf16, or in codes that scales make numbers, take their activations in
    bf16, and caches hold bf16. Products with other weights keep f32: rounding would save nothing. So do the products that make
    router logits: close calls between experts are decided there, and their cost does not show.

    Before, with `compute=bf16`:
    ```mlir
    moe.cache @keys : tensor<?x16xf32>
    %logits = moe.linear %x, %router : tensor<?x64xf32>, tensor<8x64xbf16> -> tensor<?x8xf32>   // feeds moe.route
    %q = moe.linear %x, %w_q : tensor<?x64xf32>, tensor<64x64xbf16> -> tensor<?x64xf32>
    ```
    After:
    ```mlir
    moe.cache @keys : tensor<?x16xbf16>
    %logits = moe.linear %x, %router : tensor<?x64xf32>, tensor<8x64xbf16> -> tensor<?x8xf32>
    %q = moe.linear %x, %w_q {compute = #moe<compute bf16>} : tensor<?x64xf32>, tensor<64x64xbf16> -> tensor<?x64xf32>
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect"];
  let options = [
    Option<"compute", "compute", "::moec::moe::Compute", "::moec::moe::Compute::F32", "type of activations in matrix products",
           [{::llvm::cl::values(clEnumValN(::moec::moe::Compute::F32, "f32", "32-bit floats"),
                                clEnumValN(::moec::moe::Compute::BF16, "bf16", "16-bit floats of the same range"))}]>,
  ];
}

def SpecializePhases : Pass<"moe-specialize-phases", "::mlir::ModuleOp"> {
  let summary = "split the step function into one for prefill and one for decode";
  let description = [{
    Both compute the same; later passes decide differently for many tokens of a sequence than for one.

    Before:
    ```mlir
    func.func @step(%ids: tensor<?xi32>, %batch: !moe.batch) -> tensor<?x64xf32> {...}
    ```
    After:
    ```mlir
    func.func @prefill(%ids: tensor<?xi32>, %batch: !moe.batch) -> tensor<?x64xf32> attributes {moe.phase = "prefill"} {...}
    func.func @decode(%ids: tensor<?xi32>, %batch: !moe.batch) -> tensor<?x64xf32> attributes {moe.phase = "decode"} {...}
    ```
  }];
}

def AbsorbLatentAttention : Pass<"moe-absorb-latent-attention", "::mlir::func::FuncOp"> {
  let summary = "attend over the latent cache itself where that is cheaper";
  let description = [{
    The expanded form makes keys and values of every cached position, then attends in heads of nope + pe and value columns. The
    absorbed form projects each query and each result instead, and attends in heads of latent + pe and latent columns. Few
    queries over a long context favour the second. A roofline of both decides: the larger of FLOP / `flop-per-byte` and bytes,
    then FLOP, for a sequence of the phase's typical size. No weights are multiplied with each other.

    Before:
    ```mlir
    %o = moe.latent_attention %q over @latent at %batch with %w_uk, %w_uv {scale = 0.144 : f64} : ...
    ```
    After:
    ```mlir
    %o = moe.absorbed_attention %q over @latent at %batch with %w_uk, %w_uv {scale = 0.144 : f64} : ...
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect"];
  let options = [
    Option<"prefillTokens", "prefill-tokens", "int64_t", "::moec::passes::typicalPrefill.tokens", "new tokens of a sequence in prefill">,
    Option<"prefillContext", "prefill-context", "int64_t", "::moec::passes::typicalPrefill.context", "positions the last of them sees">,
    Option<"decodeTokens", "decode-tokens", "int64_t", "::moec::passes::typicalDecode.tokens", "new tokens of a sequence in decode">,
    Option<"decodeContext", "decode-context", "int64_t", "::moec::passes::typicalDecode.context", "positions the last of them sees">,
    Option<"flopPerByte", "flop-per-byte", "double", "::moec::passes::typicalFlopPerByte", "FLOP a machine does while it moves a byte">,
  ];
}

def FuseGateUp : Pass<"moe-fuse-gate-up", "::mlir::func::FuncOp"> {
  let summary = "fuse the gate and up products with their activation, and with the down product";
  let description = [{
    Applies where gate and up take the same input in the same way and nobody else reads what lies between.

    Before:
    ```mlir
    %g = moe.linear %x, %gate : ...
    %u = moe.linear %x, %up : ...
    %h = moe.activate %g, %u {activation = #moe.activation<kind = silu>} : tensor<?x128xf32>
    %y = moe.linear %h, %down : ...
    ```
    After:
    ```mlir
    %y = moe.gated_mlp %x, %gate, %up, %down {activation = #moe.activation<kind = silu>} : ...
    ```
    Without a fitting down product the result is a `moe.gate_up`.
  }];
  let dependentDialects = ["::moec::moe::MoEDialect"];
}

def FuseExperts : Pass<"moe-fuse-experts", "::mlir::func::FuncOp"> {
  let summary = "fuse routing into the experts' matrix products";
  let description = [{
    Applies where the experts' ids and weights are those of one `moe.route`, nobody else reads the weights, and the ids do not come
    from a table.

    Before:
    ```mlir
    %ids, %weights = moe.route %logits bias %b (tensor<16xf32>) {routing = #routing} : tensor<?x16xf32> -> ...
    %y = moe.experts %x to %ids, %weights with %gate, %up, %down {activation = #silu} : ...
    ```
    After:
    ```mlir
    %y, %ids = moe.fused_experts %x by %logits bias %b (tensor<16xf32>) with %gate, %up, %down {routing = #routing, activation = #silu} : ...
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect"];
}

def FoldSharedExperts : Pass<"moe-fold-shared-experts", "::mlir::func::FuncOp"> {
  let summary = "compute shared experts together with the routed ones";
  let description = [{
    Applies to the sum of a `moe.fused_experts` and a `moe.gated_mlp` where layouts agree: same input, compute type, activation
    and storage types, and nobody else reads either.

    Before:
    ```mlir
    %e, %ids = moe.fused_experts %x by %logits with %gate, %up, %down {...} : ...
    %s = moe.gated_mlp %x, %shared_gate, %shared_up, %shared_down {...} : ...
    %y = arith.addf %e, %s : tensor<?x256xf32>
    ```
    After:
    ```mlir
    %y, %ids = moe.fused_experts %x by %logits with %gate, %up, %down shared %shared_gate, %shared_up, %shared_down (...) {...} : ...
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect"];
}

def FuseResiduals : Pass<"moe-fuse-residuals", "::mlir::func::FuncOp"> {
  let summary = "add residuals where matrix products write their results";
  let description = [{
    Applies to a sum one side of which is a `moe.linear`, `moe.gated_mlp` or `moe.fused_experts` that has no residual yet and no
    other reader. The product moves down to the sum.

    Before:
    ```mlir
    %o = moe.linear %a, %w_o : tensor<?x128xf32>, tensor<64x128xbf16> -> tensor<?x64xf32>
    %y = arith.addf %x, %o : tensor<?x64xf32>
    ```
    After:
    ```mlir
    %y = moe.linear %a, %w_o residual %x (tensor<?x64xf32>) : tensor<?x128xf32>, tensor<64x128xbf16> -> tensor<?x64xf32>
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect"];
}

def NarrowToOutputs : Pass<"moe-narrow-to-outputs", "::mlir::func::FuncOp"> {
  let summary = "compute only the rows that the caller asked for, as early as that pays";
  let description = [{
    Moves `moe.gather_outputs` up through the products and row-wise ops whose result it alone reads. What the last layer computes
    behind its attention is then computed for the outputs only: in prefill, one token of a sequence. Chosen ids that the function
    returns stay those of all tokens: the routing is repeated for them. Moved where a roofline of what is saved exceeds the new
    launches, each counted as `launch-bytes` of traffic, for a step of the phase's typical size with one output.

    Before:
    ```mlir
    %y, %ids = moe.fused_experts %x by %logits with %gate, %up, %down residual %r (tensor<?x64xf32>) {routing = #routing, ...} : ...
    %last = moe.gather_outputs %y at %batch : tensor<?x64xf32>
    ```
    After:
    ```mlir
    %ids, %weights = moe.route %logits {routing = #routing} : ...
    %x_last = moe.gather_outputs %x at %batch : tensor<?x64xf32>
    %logits_last = moe.gather_outputs %logits at %batch : tensor<?x8xf32>
    %r_last = moe.gather_outputs %r at %batch : tensor<?x64xf32>
    %last, %ids_last = moe.fused_experts %x_last by %logits_last with %gate, %up, %down residual %r_last (tensor<?x64xf32>) {routing = #routing, ...} : ...
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect"];
  let options = [
    Option<"flopPerByte", "flop-per-byte", "double", "::moec::passes::typicalFlopPerByte", "FLOP a machine does while it moves a byte">,
    Option<"launchBytes", "launch-bytes", "int64_t", "::moec::passes::typicalLaunchBytes", "bytes a machine moves in the time of a launch">,
  ];
}

def FuseLinears : Pass<"moe-fuse-linears", "::mlir::ModuleOp"> {
  let summary = "make one matrix product of those that share an input";
  let description = [{
    Joins `moe.linear`s of the same input, compute type and storage type (q_a and kv_a; q, k and v) over a weight that is the list
    of all their slices. Results are columns of the joint result. That saves launches and reads of the input, and costs a copy
    for every reader of columns that is not row-wise (row-wise ones read the columns in place). Joined where it saves more than
    it costs, a launch counted as `launch-bytes` of traffic, for a step of the phase's typical size.

    Before:
    ```mlir
    %q = moe.linear %x, %q_a : tensor<?x64xf32>, tensor<48x64xbf16> -> tensor<?x48xf32>
    %kv = moe.linear %x, %kv_a : tensor<?x64xf32>, tensor<24x64xbf16> -> tensor<?x24xf32>
    ```
    After:
    ```mlir
    moe.weight @"{q_a,kv_a}" : tensor<72x64xbf16> = [slices of q_a, slices of kv_a]
    %joint = moe.linear %x, %w : tensor<?x64xf32>, tensor<72x64xbf16> -> tensor<?x72xf32>
    %q = moe.columns %joint from 0 : tensor<?x72xf32> -> tensor<?x48xf32>
    %kv = moe.columns %joint from 48 : tensor<?x72xf32> -> tensor<?x24xf32>
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect"];
  let options = [
    Option<"launchBytes", "launch-bytes", "int64_t", "::moec::passes::typicalLaunchBytes", "bytes a machine moves in the time of a launch">,
  ];
}

def FuseRowwise : Pass<"moe-fuse-rowwise", "::mlir::func::FuncOp"> {
  let summary = "group the row-wise ops between matrix products";
  let description = [{
    Norms, rotary embeddings, columns, sums, routing and cache writes become the fewest `moe.rowwise` groups that dependences
    allow, each placed before the kernel that needs it. Writes of a cache keep their order with reads of it. Rows of tokens and
    rows of outputs (after `moe.gather_outputs`) are never in one group. Weights enter a group as inputs.

    Before:
    ```mlir
    %n = moe.rms_norm %kv, %w {epsilon = 1.0e-6 : f64} : tensor<?x64xf32>, tensor<64xbf16>
    %q = moe.linear %y, %w_q : ...
    moe.append %n to @latent at %batch : tensor<?x64xf32>
    ```
    After:
    ```mlir
    %q = moe.linear %y, %w_q : ...
    moe.rowwise(%kv, %w, %batch) : (tensor<?x64xf32>, tensor<64xbf16>, !moe.batch) -> () {
    ^bb0(%a: tensor<?x64xf32>, %v: tensor<64xbf16>, %b: !moe.batch):
      %n = moe.rms_norm %a, %v {epsilon = 1.0e-6 : f64} : tensor<?x64xf32>, tensor<64xbf16>
      moe.append %n to @latent at %b : tensor<?x64xf32>
      moe.yield
    }
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect"];
}

def VerifyOptimized : Pass<"moe-verify-optimized", "::mlir::ModuleOp"> {
  let summary = "check that a module is ready to be planned";
  let description = [{
    The contract of the optimize phase. Every function that takes a `!moe.batch` is specialised for a phase (`moe.phase`), every
    row-wise op of such a module lies in a `moe.rowwise`, and the stages of the fused forms (`moe.dispatch`, `moe.expert_hidden`, `moe.combine`)
    do not occur yet.
  }];
}

#endif // MOEC_PASSES_PASSES_TD
