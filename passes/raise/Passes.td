// The passes that find moe ops in graphs of upstream ops.
#ifndef MOEC_PASSES_RAISE_PASSES_TD
#define MOEC_PASSES_RAISE_PASSES_TD

include "mlir/Pass/PassBase.td"

def ShareTrials : Pass<"moe-share-trials", "::mlir::ModuleOp"> {
  let summary = "bound what finding ops in a function may take, of all passes together";
  let description = [{
    Passes that find ops evaluate what may be one. Behind this pass they take what that costs of one budget for each function, and
    leave what is not found when it ends; without it each pass has a budget of its own. A remark of the pass in which it ends says so.
  }];
  let options = [Option<"steps", "steps", "int64_t", /*default=*/"0", "How many steps evaluations may take; 0: what a function of so many ops may need">];
}

def RaiseExperts : Pass<"moe-raise-experts", "::mlir::func::FuncOp"> {
  let summary = "find routing and experts in a graph of upstream ops";
  let description = [{
    Exporters write a mixture of experts in many ways: every expert on every token, masked; weights gathered for each pair of a
    token and an expert; loops; sorted segments. What it computes is found by evaluating it, however it is written:

    1. Router logits are what integers are made of, and an output is where all that depends on them comes together again with the
       input. The weights are the constants of two products in a row between them.
    2. When all tokens are alike and each expert's last matrix has one row that is not zero, the output shows every expert's share of
       every token: what `#moe.routing` gives these shares?
    3. With random weights and inputs, small and then large: what `#moe.activation` gives the outputs?
    4. The new ops and the old are evaluated on other inputs and other sizes. Where they disagree, everything stays as it is.

    A remark says what was found, or why a graph that chooses by scores was left.

    Before:
    ```mlir
    %scores = linalg.matmul ins(%x, %router : tensor<?x64xf32>, tensor<64x8xf32>) outs(%zeros : tensor<?x8xf32>) -> tensor<?x8xf32>
    %ids = linalg.generic ... // the two largest of each row
    ...
    %y = linalg.generic ... // the sum over experts of mask x share x MLP
    ```
    After:
    ```mlir
    %scores = linalg.matmul ins(%x, %router : tensor<?x64xf32>, tensor<64x8xf32>) outs(%zeros : tensor<?x8xf32>) -> tensor<?x8xf32>
    %ids, %weights = moe.route %scores {routing = #moe.routing<k = 2, score = softmax, renormalize = true>} : ...
    %y = moe.experts %x to %ids, %weights with %gate, %up, %down {activation = #moe.activation<kind = silu>} : ...
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def RaiseRope : Pass<"moe-raise-rope", "::mlir::func::FuncOp"> {
  let summary = "find rotary embeddings in a graph of upstream ops";
  let description = [{
    A value that sums, differences, reshapes and products with two factors make of another one of its shape may be its rotation. Halves
    and neighbours as pairs, either factor as the cosine, are tried by evaluation on random numbers; what holds becomes a `moe.rope`
    by those factors.

    Before:
    ```mlir
    %r = tensor.concat dim(3) %negated, %first : ...
    %a = linalg.generic ... // %x x %cos
    %b = linalg.generic ... // %r x %sin
    %y = linalg.generic ... // %a + %b
    ```
    After:
    ```mlir
    %y = moe.rope %rows by %cos_rows, %sin_rows : tensor<?x4xf32>, tensor<?x4xf32> {head_dim = 8 : i64, rotary = #moe.rotary<dims = 8, layout = half>} : tensor<?x32xf32>
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def RaiseAttention : Pass<"moe-raise-attention", "::mlir::func::FuncOp"> {
  let summary = "find attention in a graph of upstream ops";
  let description = [{
    Between a product of queries and keys and one with values lie scale, masks and softmax, in many spellings. What they do to scores
    is observed: with scores of zero they show what is added to scores, with others scale and soft cap; what is concatenated to
    scores are sinks. The `moe.attention` that this says is evaluated beside the graph; where both agree it takes its place. Masks become its bias.

    Before:
    ```mlir
    %s = linalg.generic ... // the sum over d of %q[b, h, i, d] x %k[b, h, j, d]
    ...
    %o = linalg.generic ... // the sum over j of softmax(%s)[b, h, i, j] x %v[b, h, j, e]
    ```
    After:
    ```mlir
    %o = moe.attention %q_rows across %k_rows, %v_rows : tensor<?x32xf32>, tensor<?x32xf32> of %lengths bias %mask : tensor<?x1x?x?xf32> {head_dim = 8 : i64, scale = 0.35 : f64} : tensor<?x32xf32> -> tensor<?x32xf32>
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
}

def RaiseLatentAttention : Pass<"moe-raise-latent-attention", "::mlir::func::FuncOp"> {
  let summary = "find latent attention in attention whose keys and values come from a latent";
  let description = [{
    Keys and values that are parts of one product with a latent, next to a rotated key that all heads share, are those of
    `moe.latent_attention`, however they were assembled: where their elements come from is seen by numbering the elements of what
    they may come from. Attention over latents themselves, between products with the two halves of the weight, is
    `moe.absorbed_attention`. Both are evaluated beside the graph before they take its place.

    Before:
    ```mlir
    %kv = linalg.matmul ... // %c x W^T
    %o = moe.attention %q across %k, %v : tensor<?x72xf32>, tensor<?x24xf32> of %lengths {head_dim = 18 : i64, scale = 0.25 : f64} : ...
    ```
    After:
    ```mlir
    %o = moe.latent_attention %q across %latents : tensor<?x20xf32> of %lengths with %key_up, %value_up {scale = 0.25 : f64} : ...
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def RaiseRouting : Pass<"moe-raise-routing", "::mlir::func::FuncOp"> {
  let summary = "find the routing that experts have, where it is computed by several ops";
  let description = [{
    Operators that are a mixture of experts have a routing of their own, before which graphs compute what makes it another: scores with
    a bias, groups, logarithms of probabilities, weights gathered from other scores. The ids and weights that `moe.experts` gets are
    evaluated for random logits, as in `moe-raise-experts`, and proven with others.

    Before:
    ```mlir
    %p = linalg.generic ... // log(softmax(%logits))
    %ids, %weights = moe.route %p {routing = #moe.routing<k = 2, score = softmax, renormalize = true>} : ...
    %y = moe.experts %x to %ids, %weights with %gate, %up, %down {...} : ...
    ```
    After:
    ```mlir
    %ids, %weights = moe.route %logits {routing = #moe.routing<k = 2, score = softmax, renormalize = true>} : ...
    %y = moe.experts %x to %ids, %weights with %gate, %up, %down {...} : ...
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect", "::mlir::tensor::TensorDialect"];
}

def RaiseNorms : Pass<"moe-raise-norms", "::mlir::func::FuncOp"> {
  let summary = "find norms in a graph of upstream ops";
  let description = [{
    Rows that are multiplied by a root of their mean square and by a vector are a norm, however that is spelt. Rows so small that nothing
    else counts show its epsilon; random ones prove it.

    Before:
    ```mlir
    %sum = linalg.generic ... // of the squares of %x
    ...
    %y = linalg.generic ... // %x x %root x %w
    ```
    After:
    ```mlir
    %y = moe.rms_norm %x, %w {epsilon = 1.0e-6 : f64} : tensor<?x64xf32>, tensor<64xf32>
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def StoreConstants : Pass<"moe-store-constants", "::mlir::ModuleOp"> {
  let summary = "refer to the bytes of constants that are weights";
  let description = [{
    An importer makes small tensors constants, as numbers that passes look at, and says with `moe.stored` where they lie. Those that a moe
    op or a product reads are weights like larger ones.

    Before:
    ```mlir
    %w = arith.constant {moe.stored = #moe.slice<"norm" in "model.onnx" at 64 rows 4>} dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
    %y = moe.rms_norm %x, %w {epsilon = 1.0e-6 : f64} : tensor<?x4xf32>, tensor<4xf32>
    ```
    After:
    ```mlir
    moe.weight @norm : tensor<4xf32> = [#moe.slice<"norm" in "model.onnx" at 64 rows 4>]
    %w = moe.get_weight @norm : tensor<4xf32>
    %y = moe.rms_norm %x, %w {epsilon = 1.0e-6 : f64} : tensor<?x4xf32>, tensor<4xf32>
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect"];
}

def RaiseLinears : Pass<"moe-raise-linears", "::mlir::func::FuncOp"> {
  let summary = "find products of rows with weights";
  let description = [{
    A product with a weight, or with the transpose of one, is `moe.linear`, which reads the weight as it is stored. A weight that is
    stored [in, out] is transposed before, which `moe-fold-weights` folds into the reference to it. A vector that is added to a
    product is its bias.

    Before:
    ```mlir
    %turned = linalg.transpose ins(%w : tensor<16x64xf32>) outs(%empty : tensor<64x16xf32>) permutation = [1, 0]
    %y = linalg.matmul ins(%x, %turned : tensor<?x64xf32>, tensor<64x16xf32>) outs(%zeros : tensor<?x16xf32>) -> tensor<?x16xf32>
    ```
    After:
    ```mlir
    %y = moe.linear %x, %w : tensor<?x64xf32>, tensor<16x64xf32> -> tensor<?x16xf32>
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def RaiseMLP : Pass<"moe-raise-mlp", "::mlir::func::FuncOp"> {
  let summary = "find gated MLPs between products with weights";
  let description = [{
    What is made of two products of one input, element by element, and goes into a third, is tried beside the activations that there
    are, either product as the gate.

    Before:
    ```mlir
    %g = moe.linear %x, %gate : ...
    %u = moe.linear %x, %up : ...
    %h = linalg.generic ... // %g x sigmoid(%g) x %u
    %y = moe.linear %h, %down : ...
    ```
    After:
    ```mlir
    %y = moe.gated_mlp %x, %gate, %up, %down {activation = #moe.activation<kind = silu>} : ...
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect"];
}

def RaiseStep : Pass<"moe-raise-step", "::mlir::ModuleOp"> {
  let summary = "make a step over a batch of a decoder with explicit keys and values";
  let description = [{
    A graph that makes logits of token ids, and keys and values of those of the past, is a decoder. What its inputs are, is found by
    evaluating what depends on integers alone: masks must hide what a causal model, or one with a window, does not see, and the
    angles of rotary embeddings must follow from positions. All else is followed row by row, for elements keep their numbers when
    they are moved. Keys and values of the past become caches.

    What is built is what the function computes when it is called as its exporter meant it: with what earlier calls gave, positions
    that follow one another, and a mask that hides no token.

    Before:
    ```mlir
    func.func @main(%ids: tensor<?x?xi64> {moe.input = "input_ids"}, %past: tensor<?x2x?x8xf32> {moe.input = "past.0.key"}, ...)
      -> (tensor<?x?x64xf32> {moe.output = "logits"}, tensor<?x2x?x8xf32> {moe.output = "present.0.key"}, ...)
    ```
    After:
    ```mlir
    moe.cache @layers.0.keys : tensor<?x16xf32>
    func.func @step(%ids: tensor<?xi32>, %batch: !moe.batch) -> (tensor<?x64xf32> {moe.output = "logits"}, ...)
    ```
  }];
  let options = [Option<"positions", "positions", "int64_t", /*default=*/"32768", "How many positions a sequence may have where the module does not say">];
  let dependentDialects = ["::moec::moe::MoEDialect", "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

def FoldWeights : Pass<"moe-fold-weights", "::mlir::ModuleOp"> {
  let summary = "fold what is done to the layout of weights into the references to their bytes";
  let description = [{
    Applies to weights of moe ops that are transposed, cut, reshaped or stacked before: slices of files, with strides where need be,
    say all that. So does a stack of dequantised matrices, whose numbers and scales are stacked. What a slice cannot say stays.

    Before:
    ```mlir
    moe.weight @w : tensor<64x16xf32> = [#moe.slice<"w" in "model.onnx" at 4096 rows 64>]
    %w = moe.get_weight @w : tensor<64x16xf32>
    %turned = linalg.transpose ins(%w : tensor<64x16xf32>) outs(%empty : tensor<16x64xf32>) permutation = [1, 0]
    %y = moe.linear %x, %turned : tensor<?x64xf32>, tensor<16x64xf32> -> tensor<?x16xf32>
    ```
    After:
    ```mlir
    moe.weight @w : tensor<16x64xf32> = [#moe.slice<"w" in "model.onnx" at 4096 rows 16 strides 1 by 16>]
    %turned = moe.get_weight @w : tensor<16x64xf32>
    %y = moe.linear %x, %turned : tensor<?x64xf32>, tensor<16x64xf32> -> tensor<?x16xf32>
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect"];
}

#endif // MOEC_PASSES_RAISE_PASSES_TD
