// The evaluator on arrays for a function's named inputs.
// RUN: printf "\x93NUMPY\x01\x00\x37\x00{'descr': '<i4', 'fortran_order': False, 'shape': (3,)}\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00" > %t.x.npy
// RUN: moe-opt %s --evaluate --evaluate-input x=@%t.x.npy --evaluate-output y=@%t.y.npy | FileCheck %s
// RUN: moe-opt %s --evaluate --evaluate-input x=@%t.y.npy | FileCheck %s --check-prefix AGAIN
// RUN: not moe-opt %s --evaluate --evaluate-input z=@%t.x.npy 2>&1 | FileCheck %s --check-prefix NAME
// RUN: not moe-opt %s --evaluate --evaluate-input x=%t.x.npy 2>&1 | FileCheck %s --check-prefix SPELLING
// RUN: not moe-opt %s --evaluate 2>&1 | FileCheck %s --check-prefix NOTHING
// CHECK: y[0]: 2 4 6
// AGAIN: y[0]: 4 8 12
// NAME: error: expected a file for argument 0 'x'
// SPELLING: --evaluate-input: expected NAME=@FILE.npy, each name once, got 'x=
// NOTHING: --evaluate: expected what to evaluate: --evaluate-ids or --evaluate-input
func.func @main(%x: tensor<?xi32> {moe.input = "x"}) -> (tensor<?xi32> {moe.output = "y"}) {
  %y = arith.addi %x, %x : tensor<?xi32>
  return %y : tensor<?xi32>
}
