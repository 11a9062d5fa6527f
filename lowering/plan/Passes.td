// The passes of the plan phase: moe in, plan out.
#ifndef MOEC_LOWERING_PLAN_PASSES_TD
#define MOEC_LOWERING_PLAN_PASSES_TD

include "mlir/Pass/PassBase.td"

def DescribeModel : Pass<"plan-describe-model", "::mlir::ModuleOp"> {
  let summary = "record what a reader of the artifact wants to know about the model";
  let description = [{
    Makes the module's `plan.model` from its `moe.` attributes, weights and matrix products, and a `plan.routing` for each MoE layer
    whose chosen experts are an output. Of a module of functions only family and parameters are known: it gets a
    `plan.graph`.

    Before:
    ```mlir
    module attributes {moe.family = "deepseek_v3", moe.vocabulary = 4096 : i64, ...} {
      func.func @prefill(...) -> (tensor<?x4096xf32> {moe.output = "logits"}, tensor<?x4xi32> {moe.output = "routing.1"}) {...}
    ```
    After:
    ```mlir
    plan.model "deepseek_v3" {vocabulary = 4096 : i64, ...}
    plan.routing layer 1 experts 16 k 4 "sigmoid scores; ..."
    ```
  }];
  let dependentDialects = ["::moec::plan::PlanDialect"];
  let options = [
    Option<"maxSequence", "max-sequence", "int64_t", "0", "positions of a sequence; 0: the model's own number, at most 4096">,
    Option<"maxBatch", "max-batch", "int64_t", "8", "sequences of a step">,
  ];
}

def SampleOutputs : Pass<"plan-sample-outputs", "::mlir::func::FuncOp"> {
  let summary = "let a step choose the next token of each output";
  let description = [{
    A function with logits of its outputs chooses tokens from them where its caller wants any, and needs not hand out logits for that.
    One with logits of every token, or of more than 2^22 ids, is left as it is: its caller chooses.

    Before:
    ```mlir
    func.func @decode(%ids: tensor<?xi32>, %batch: !moe.batch) -> (tensor<?x8xf32> {moe.output = "logits"}) {...
      return %logits : tensor<?x8xf32>
    ```
    After:
    ```mlir
    func.func @decode(%ids: tensor<?xi32>, %batch: !moe.batch, %settings: tensor<?x5xi32>)
        -> (tensor<?x8xf32> {moe.output = "logits"}, tensor<?x1xi32> {moe.output = "sampled"}) {...
      %token = moe.sample %logits by %settings : tensor<?x8xf32>
      return %logits, %token : tensor<?x8xf32>, tensor<?x1xi32>
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect"];
}

def StageProducts : Pass<"plan-stage-products", "::mlir::func::FuncOp"> {
  let summary = "split ops that take several launches into ops that take one";
  let description = [{
    Fused or not, experts become `moe.dispatch`, `moe.expert_hidden` and `moe.combine`, gated MLPs `moe.gate_up` and `moe.linear`.
    A row-wise op that no group has taken becomes a `moe.rowwise` of its own.

    Before:
    ```mlir
    %y = moe.gated_mlp %x, %gate, %up, %down residual %r {...} : ...
    %y, %ids = moe.fused_experts %x by %logits with %gate, %up, %down residual %r {...} : ...
    ```
    After:
    ```mlir
    %h = moe.gate_up %x, %gate, %up {...} : ...
    %y = moe.linear %h, %down residual %r {...} : ...

    %ids, %weights = moe.rowwise(%logits) : ... { moe.route ... }
    %offsets, %order = moe.dispatch %ids : ...
    %h = moe.expert_hidden %x by %offsets, %order with %gate, %up {...} : ...
    %y = moe.combine %h, %weights by %offsets, %order with %down residual %r {...} : ...
    ```
  }];
  let dependentDialects = ["::moec::moe::MoEDialect"];
}

def CutKernels : Pass<"plan-cut-kernels", "::mlir::ModuleOp"> {
  let summary = "turn every op of a step into a launch of a kernel that all equal ops share";
  let description = [{
    A kernel is keyed by what it computes: ops, attributes, types, and how the parts of its weights are cut. Functions with a
    `moe.phase` become programs of that name, their values buffers, `moe.weight` and `moe.cache` their `plan` namesakes.

    Before:
    ```mlir
    func.func @decode(%ids: tensor<?xi32>, %batch: !moe.batch) -> (tensor<?x8xf32> {moe.output = "logits"}) attributes {moe.phase = "decode"} {
      %w = moe.get_weight @table : tensor<64x8xbf16>
      %x = moe.embed %ids, %w : tensor<64x8xbf16> -> tensor<?x8xf32>
      return %x : tensor<?x8xf32>
    }
    ```
    After:
    ```mlir
    plan.kernel @embed_0 items 1 per tokens rows tokens parts [array<i64>, array<i64: 64>] {...}
    plan.program @decode tokens 8 sequences 8 outputs 8 {
      %0 = plan.buffer token_ids : memref<?xi32>
      %1 = plan.buffer weight @table : memref<64x8xbf16>
      %2 = plan.buffer arena per tokens : memref<?x8xf32>
      plan.launch @embed_0(%0, %1, %2) : ...
      plan.output "logits" = %2 : memref<?x8xf32>
    }
    ```
  }];
  let dependentDialects = ["::moec::plan::PlanDialect"];
  let options = [
    Option<"maxTokens", "max-tokens", "int64_t", "512", "new tokens of a prefill step">,
  ];
}

def ConvertFunctions : Pass<"plan-convert-functions", "::mlir::ModuleOp"> {
  let summary = "turn functions of named tensors into functions of the plan";
  let description = [{
    A function's inputs and outputs are named by `moe.input` of its arguments and `moe.output` of its results; `moe.unsigned` beside
    the name says that integers are. The weights that it reads become arguments behind the inputs; weights that nothing reads are left
    out. Bodies stay as they are.

    Before:
    ```mlir
    moe.weight @w : tensor<4xf32> = [...]
    func.func @main(%x: tensor<?x4xf32> {moe.input = "x"}) -> (tensor<4xf32> {moe.output = "y"}) {
      %w = moe.get_weight @w : tensor<4xf32>
      return %w : tensor<4xf32>
    }
    ```
    After:
    ```mlir
    plan.weight @w : tensor<4xf32> = [...]
    plan.function @main inputs ["x"] outputs ["y"] weights [@w] {
    ^bb0(%x: tensor<?x4xf32>, %w: tensor<4xf32>):
      plan.results %w : tensor<4xf32>
    }
    ```
  }];
  let dependentDialects = ["::moec::plan::PlanDialect"];
}

def AssignBuffers : Pass<"plan-assign-buffers", "::mlir::ModuleOp"> {
  let summary = "give every arena buffer and every constant its place";
  let description = [{
    A buffer lives from the launch that writes it to the last that reads it, an output to the end of the step. Buffers whose lives
    overlap get disjoint places, each the first one that fits, for the most rows that a step of the program has. Places are
    multiples of 64 bytes.

    Before:
    ```mlir
    plan.program @decode tokens 8 sequences 8 outputs 8 {
      %x = plan.buffer arena per tokens : memref<?x8xf32>
    ```
    After:
    ```mlir
    plan.program @decode tokens 8 sequences 8 outputs 8 arena 256 {
      %x = plan.buffer arena at 0 per tokens : memref<?x8xf32>
    ```
  }];
}

def VerifyPlan : Pass<"plan-verify-plan", "::mlir::ModuleOp"> {
  let summary = "check that a module can be written as an artifact";
  let description = [{
    The contract of the plan phase. The module holds one `plan.model`, and only `plan` ops; there is a program for prefill and one
    for decode; arena buffers and constants have places, those of an arena within it; launches get the constants that their kernels'
    ops need. Or it holds one `plan.graph`, functions and their weights, and nothing else.
  }];
}

#endif // MOEC_LOWERING_PLAN_PASSES_TD
