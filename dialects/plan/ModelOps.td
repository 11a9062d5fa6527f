// What a compiled model consists of besides code: its description, weights, caches and constants.
#ifndef MOEC_DIALECTS_PLAN_MODELOPS_TD
#define MOEC_DIALECTS_PLAN_MODELOPS_TD

include "dialects/plan/Dialect.td"

def Plan_ModelOp : Plan_Op<"model"> {
  let summary = "what a reader of the artifact wants to know about the model";
  let description = [{
    `max_sequence` and `max_batch` are the sizes that programs are compiled for; a cache page holds `page_size` positions.

    Example:
    ```mlir
    plan.model "deepseek_v3" {vocabulary = 4096 : i64, layers = 3 : i64, parameters = 8300000 : i64, max_sequence = 2048 : i64,
      max_batch = 8 : i64, page_size = 64 : i64, bos = 0 : i64, eos = array<i64: 1>, compute = "f32"}
    ```
  }];
  let arguments = (ins StrAttr:$family, Plan_PositiveCount:$vocabulary, Plan_Count:$layers, Plan_Count:$parameters,
                       Plan_PositiveCount:$max_sequence, Plan_PositiveCount:$max_batch, Plan_PositiveCount:$page_size,
                       OptionalAttr<I64Attr>:$bos, DenseI64ArrayAttr:$eos, StrAttr:$compute);
  let assemblyFormat = "$family attr-dict";
}

def Plan_RoutingOp : Plan_Op<"routing"> {
  let summary = "how one MoE layer routes, for readers and for checks between artifacts";
  let description = [{
    Example:
    ```mlir
    plan.routing layer 1 experts 16 k 4 "sigmoid scores, 2 of 4 groups"
    ```
  }];
  let arguments = (ins Plan_Count:$layer, Plan_PositiveCount:$experts, Plan_PositiveCount:$k, StrAttr:$summary);
  let assemblyFormat = "`layer` $layer `experts` $experts `k` $k $summary attr-dict";
}

def Plan_WeightOp : Plan_Op<"weight", [Symbol]> {
  let summary = "a weight: where its parts lie in files";
  let description = [{
    A kernel gets the address of an array with one address for each part. A part is as many leading rows as are contiguous in
    their file; a weight of rank 3 (stacked experts or heads) has one part for each leading index, which kernels index by. Parts
    that lie evenly in one file are given as a run.

    Constraints:
    * C1: the type is statically shaped, and the parts' bytes add up to its size.
    * C2: every part holds whole rows.

    Example:
    ```mlir
    plan.weight @norm : tensor<256xbf16> = [#plan.part<"model.safetensors" at 4096 bytes 512>]
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_TensorTypeAttr:$type, Plan_PartArrayAttr:$parts);
  let assemblyFormat = "$sym_name `:` $type `=` $parts attr-dict";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Rows of each part; one number when all have as many.
    ::llvm::SmallVector<int64_t> getPartRows();
  }];
}

def Plan_CacheOp : Plan_Op<"cache", [Symbol]> {
  let summary = "a paged key/value cache";
  let description = [{
    Rows of one page lie together: [pages, page_size, width]. A page number addresses the same place in every cache. With `block`
    there is a row for each block of so many positions, in the page where the block begins: pages are page_size / block rows, rounded
    up, and the row of a block that begins at position p of its page is p / block.

    Constraints:
    * C1: the type is `tensor<?xWxf32>` or `tensor<?xWxbf16>` with W static.

    Example:
    ```mlir
    plan.cache @layers.0.latent : tensor<?x80xf32>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_TensorTypeAttr:$type,
                       DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "1">:$block);
  let assemblyFormat = "$sym_name `:` $type attr-dict";
  let hasVerifier = 1;
}

def Plan_ConstantOp : Plan_Op<"constant", [Symbol]> {
  let summary = "a table that the compiler computes: bytes of the section \"constants\"";
  let description = [{
    `source` says what the table holds: an attribute from which whoever writes the artifact computes it. `offset` is where it
    lies in the section.

    Constraints:
    * C1: the type is statically shaped.

    Example:
    ```mlir
    plan.constant @rotary_0 : tensor<2048x8x2xf32> = "angles of positions 0 to 2047" {offset = 0 : i64}
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_TensorTypeAttr:$type, AnyAttr:$source, OptionalAttr<Plan_Count>:$offset);
  let assemblyFormat = "$sym_name `:` $type `=` $source attr-dict";
  let hasVerifier = 1;
}

#endif // MOEC_DIALECTS_PLAN_MODELOPS_TD
