// Two ops with less than their tests.
def MoE_HalfOp : MoE_Op<"half", [Pure]> {
  let summary = "has no example";
}

def MoE_DoubleOp : MoE_Op<"double", [Pure]> {
  let description = [{
    * C1: is tested.
    * C2: is not.
    * C3: has a case that is about something else.

    Example:
    ```mlir
    %y = moe.double %x : f32
    ```
  }];
}

def MoE_TwiceOp : MoE_Op<"twice", [Pure]> {
  let description = [{
    Constraints: as `moe.double`, C1 to C1.

    Example: see `moe.double`.
  }];
}
