// The passes that find moe ops in graphs of upstream ops.
#ifndef MOEC_PASSES_RAISE_PASSES_TD
#define MOEC_PASSES_RAISE_PASSES_TD

include "mlir/Pass/PassBase.td"

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

#endif // MOEC_PASSES_RAISE_PASSES_TD
