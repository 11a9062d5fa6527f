// Two ops with less than their tests.
def MoE_HalfOp : MoE_Op<"half", [Pure]> {
  let summary = "has no example";
}

def MoE_DoubleOp : MoE_Op<"double", [Pure]> {
  let description = [{
    * C1: is tested.
    * C2: is not.

    Example:
    ```mlir
    %y = moe.double %x : f32
    ```
  }];
}
