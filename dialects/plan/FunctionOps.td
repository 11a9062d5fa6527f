// What is run as a whole: functions of named tensors.
#ifndef MOEC_DIALECTS_PLAN_FUNCTIONOPS_TD
#define MOEC_DIALECTS_PLAN_FUNCTIONOPS_TD

include "dialects/plan/Dialect.td"

def Plan_GraphOp : Plan_Op<"graph"> {
  let summary = "what a reader of the artifact wants to know about a model of functions";
  let description = [{
    Stands where a `plan.model` stands in a model that has steps.

    Example:
    ```mlir
    plan.graph "onnx" parameters 8300000
    ```
  }];
  let arguments = (ins StrAttr:$family, Plan_Count:$parameters);
  let assemblyFormat = "$family `parameters` $parameters attr-dict";
}

def Plan_FunctionOp : Plan_Op<"function", [Symbol, IsolatedFromAbove, SingleBlock, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a function of named tensors, run as a whole";
  let description = [{
    What a graph is that is no step of a language model: tensors of any rank and element type in, tensors out, nothing kept between
    runs. The region says what it computes, in ops of any dialect that a target can lower. Its arguments are the inputs in order of
    their names, then the weights in order of their symbols; `plan.results` gives the outputs in order of their names. A dimension
    that is not known here is one that each run says for itself. Integers of a tensor have no sign of their own: those of
    `unsigned_inputs` and `unsigned_outputs`, by number, are read without one by whoever fills and reads them.

    Constraints:
    * C1: the region has an argument for each input, then one for each weight, and they are ranked tensors.
    * C2: the region ends with `plan.results` of a ranked tensor for each output.
    * C3: inputs and outputs have names, no two inputs and no two outputs the same.
    * C4: each of `weights` names a `plan.weight` of its argument's type.

    Example:
    ```mlir
    plan.function @main inputs ["x"] outputs ["y"] weights [@norm] {
    ^bb0(%x: tensor<?x256xf32>, %norm: tensor<256xbf16>):
      %y = "some.product"(%x, %norm) : (tensor<?x256xf32>, tensor<256xbf16>) -> tensor<?xf32>
      plan.results %y : tensor<?xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$inputs, StrArrayAttr:$outputs,
                       TypedArrayAttrBase<FlatSymbolRefAttr, "array of symbols">:$weights,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$unsigned_inputs,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$unsigned_outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `inputs` $inputs `outputs` $outputs `weights` $weights attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// The values of the terminator.
    ::mlir::ValueRange getResults();
  }];
}

def Plan_ResultsOp : Plan_Op<"results", [Pure, Terminator, HasParent<"FunctionOp">]> {
  let summary = "the outputs of a function";
  let description = [{
    Example: see `plan.function`.
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

#endif // MOEC_DIALECTS_PLAN_FUNCTIONOPS_TD
