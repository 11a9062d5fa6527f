// What a step does: kernels, and programs of launches over buffers.
#ifndef MOEC_DIALECTS_PLAN_PROGRAMOPS_TD
#define MOEC_DIALECTS_PLAN_PROGRAMOPS_TD

include "dialects/plan/Dialect.td"

def Plan_KernelOp : Plan_Op<"kernel", [Symbol, SymbolTable, IsolatedFromAbove, SingleBlock]> {
  let summary = "a function of buffers, by what it computes";
  let description = [{
    The region says what the kernel computes, in ops of any dialect that a target can emit. The buffers of a launch are, in order:
    one for each region argument (an argument that is no tensor is the batch and stands for five: positions, token_sequence,
    starts, pages, output_tokens), one for each cache declared in the region, one for each value of `plan.return`, then the
    constant tables that the region's ops need, in order of the ops.

    Items are what a thread can take by itself: `items_per_unit` times the step's value of `extent`. `rows` is what the unknown
    dimension of the region's tensors counts, tokens or outputs.

    `part_rows` says for each region argument how the code finds a row: empty for an argument that is no weight; one number when
    every part of the weight has that many rows; else the rows of each part. `flop_per_row` and `bytes_per_row` are the arithmetic
    and the weight bytes of a step with a single row; `scratch_bytes` is what a thread needs of its own, as the targets say.

    Constraints:
    * C1: `rows` is tokens or outputs.
    * C2: `part_rows` has an entry for each region argument; the rows of a weight's parts add up to its first dimension, or
      divide it when there is one number.
    * C3: the region ends with `plan.return` of tensors.

    Example:
    ```mlir
    plan.kernel @linear_0 items 5 per constant rows tokens parts [array<i64>, array<i64: 80>] {
    ^bb0(%x: tensor<?x256xf32>, %w: tensor<80x256xbf16>):
      %y = "some.product"(%x, %w) : (tensor<?x256xf32>, tensor<80x256xbf16>) -> tensor<?x80xf32>
      plan.return %y : tensor<?x80xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_PositiveCount:$items_per_unit, Plan_ExtentAttr:$extent, Plan_ExtentAttr:$rows,
                       Plan_PartRowsAttr:$part_rows, DefaultValuedAttr<Plan_Count, "0">:$flop_per_row,
                       DefaultValuedAttr<Plan_Count, "0">:$bytes_per_row, DefaultValuedAttr<Plan_Count, "0">:$scratch_bytes);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `items` $items_per_unit `per` $extent `rows` $rows `parts` $part_rows attr-dict-with-keyword $body
  }];
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// The values of the terminator.
    ::mlir::ValueRange getResults();
    /// The caches declared in the region, in order.
    ::llvm::SmallVector<::mlir::Operation *> getCaches();
  }];
}

def Plan_ReturnOp : Plan_Op<"return", [Pure, Terminator, HasParent<"KernelOp">]> {
  let summary = "the buffers a kernel writes";
  let description = [{
    Example: see `plan.kernel`.
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

def Plan_ProgramOp : Plan_Op<"program", [Symbol, IsolatedFromAbove, SingleBlock, NoTerminator]> {
  let summary = "the launches of one step, in order";
  let description = [{
    A step has at most `max_tokens` new tokens in `max_sequences` sequences, of which `max_outputs` tokens' results are wanted.
    Its intermediate buffers lie in an arena of `arena_bytes`. Launches run one after the other.

    Constraints:
    * C1: the region holds only `plan.buffer`, `plan.launch` and `plan.output`.
    * C2: no two outputs have the same name.

    Example:
    ```mlir
    plan.program @decode tokens 8 sequences 8 outputs 8 {
      %x = plan.buffer arena at 0 per tokens : memref<?x8xf32>
      plan.output "logits" = %x : memref<?x8xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_PositiveCount:$max_tokens, Plan_PositiveCount:$max_sequences,
                       Plan_PositiveCount:$max_outputs, OptionalAttr<Plan_Count>:$arena_bytes);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `tokens` $max_tokens `sequences` $max_sequences `outputs` $max_outputs (`arena` $arena_bytes^)?
    attr-dict-with-keyword $body
  }];
  let hasRegionVerifier = 1;
}

def Plan_BufferOp : Plan_Op<"buffer", [HasParent<"ProgramOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "an argument of kernels";
  let description = [{
    `kind` says where the memory is. The buffers of a step's own integers have the shapes that their kinds say; an arena buffer
    with an unknown number of rows has one for each `extent`. `offset` is the place in the arena, once assigned.

    Constraints:
    * C1: exactly the kinds weight, constant and cache come with a symbol, which names such an op with the buffer's shape.
    * C2: only an arena buffer has an offset.
    * C3: exactly an arena buffer with an unknown number of rows has an extent, which is not constant.
    * C4: the step's integers are i32 of unknown length; `pages` and `sampling` have rank 2, the others rank 1.

    Example:
    ```mlir
    %x = plan.buffer arena at 0 per tokens : memref<?x256xf32>
    %ids = plan.buffer token_ids : memref<?xi32>
    %w = plan.buffer weight @norm : memref<256xbf16>
    ```
  }];
  let arguments = (ins Plan_BufferKindAttr:$kind, OptionalAttr<FlatSymbolRefAttr>:$symbol, OptionalAttr<Plan_Count>:$offset,
                       OptionalAttr<Plan_ExtentAttr>:$extent);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$kind ($symbol^)? (`at` $offset^)? (`per` $extent^)? attr-dict `:` type($result)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// What the number of rows grows with, whatever the kind.
    Extent getRowExtent();
  }];
}

def Plan_LaunchOp : Plan_Op<"launch", [HasParent<"ProgramOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "one call of a kernel on all its items";
  let description = [{
    Constraints:
    * C1: the symbol names a `plan.kernel`.
    * C2: the buffers are those that `plan.kernel` lists: shapes are those of the region's arguments, caches and results, and what
      follows are constants.

    Example:
    ```mlir
    plan.launch @linear_0(%x, %w, %y) : memref<?x256xf32>, memref<80x256xbf16>, memref<?x80xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyMemRef>:$buffers);
  let assemblyFormat = "$kernel `(` $buffers `)` attr-dict `:` type($buffers)";
}

def Plan_OutputOp : Plan_Op<"output", [HasParent<"ProgramOp">]> {
  let summary = "a named result that stays readable until the next step";
  let description = [{
    "logits", or "routing.L": the chosen expert ids of MoE layer L.

    Constraints:
    * C1: the buffer lies in the arena.

    Example:
    ```mlir
    plan.output "logits" = %l : memref<?x4096xf32>
    ```
  }];
  let arguments = (ins StrAttr:$name, AnyMemRef:$buffer);
  let assemblyFormat = "$name `=` $buffer attr-dict `:` type($buffer)";
  let hasVerifier = 1;
}

#endif // MOEC_DIALECTS_PLAN_PROGRAMOPS_TD
