// The plan dialect: kernels, buffers, launches; one op for each record of an artifact.
#ifndef MOEC_DIALECTS_PLAN_PLAN_TD
#define MOEC_DIALECTS_PLAN_PLAN_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Plan_Dialect : Dialect {
  let name = "plan";
  let summary = "a compiled step: kernels, buffers and launches";
  let description = [{
    A kernel is keyed by what it computes and shared by all the places that need it; a program is a list of launches over
    buffers whose addresses the runtime knows before it starts. Every op is one record of the artifact's manifest.
  }];
  let cppNamespace = "::moec::plan";
  let useDefaultAttributePrinterParser = 1;
}

class Plan_Op<string mnemonic, list<Trait> traits = []> : Op<Plan_Dialect, mnemonic, traits>;

def Plan_ExtentEnum : I32EnumAttr<"Extent", "what a count grows with", [
  I32EnumAttrCase<"Constant", 0, "constant">,
  I32EnumAttrCase<"Tokens", 1, "tokens">,
  I32EnumAttrCase<"Outputs", 2, "outputs">,
  I32EnumAttrCase<"Sequences", 3, "sequences">]> {
  let cppNamespace = "::moec::plan";
  let genSpecializedAttr = 0;
}
def Plan_ExtentAttr : EnumAttr<Plan_Dialect, Plan_ExtentEnum, "extent">;

def Plan_KernelOp : Plan_Op<"kernel", [Symbol, SymbolTable, IsolatedFromAbove, SingleBlock]> {
  let summary = "a function of buffers, by what it computes";
  let description = [{
    The region says what the kernel computes, in ops of any dialect that a target can emit. The buffers of a launch are, in order:
    one for each region argument (an argument of type `!moe.batch` stands for five: positions, token_sequence, starts, pages,
    output_tokens), one for each cache symbol declared in the region, one for each value of `plan.return`, then the constant
    tables that the region's ops need, in order of the ops.

    Items are what a thread can take by itself: `items_per_unit` times the step's value of `extent`.

    Example:
    ```mlir
    plan.kernel @scale extent tokens items 1 {
    ^bb0(%x: tensor<?x8xf32>):
      %y = arith.addf %x, %x : tensor<?x8xf32>
      plan.return %y : tensor<?x8xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_ExtentAttr:$extent, ConfinedAttr<I64Attr, [IntPositive]>:$items_per_unit);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `extent` $extent `items` $items_per_unit attr-dict-with-keyword $body";
}

def Plan_ReturnOp : Plan_Op<"return", [Pure, Terminator, HasParent<"KernelOp">]> {
  let summary = "the buffers a kernel writes";
  let description = [{
    Example: see `plan.kernel`.
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

#endif // MOEC_DIALECTS_PLAN_PLAN_TD
