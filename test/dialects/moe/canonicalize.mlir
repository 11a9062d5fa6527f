// RUN: moe-opt %s --canonicalize | FileCheck %s

// All columns of a row are the row.
// CHECK-LABEL: @all_columns
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>
// CHECK-NEXT: return %[[X]]
func.func @all_columns(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = moe.columns %x from 0 : tensor<?x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// Columns of columns are columns.
// CHECK-LABEL: @columns_of_columns
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>
// CHECK-NEXT: %[[Y:.*]] = moe.columns %[[X]] from 5 : tensor<?x8xf32> -> tensor<?x2xf32>
// CHECK-NEXT: return %[[Y]]
func.func @columns_of_columns(%x: tensor<?x8xf32>) -> tensor<?x2xf32> {
  %y = moe.columns %x from 4 : tensor<?x8xf32> -> tensor<?x4xf32>
  %z = moe.columns %y from 1 : tensor<?x4xf32> -> tensor<?x2xf32>
  return %z : tensor<?x2xf32>
}

// A weight that nobody reads is not fetched.
// CHECK-LABEL: @unread_weight
// CHECK-NEXT: return
moe.weight @w : tensor<8xf32> = [#moe.slice<"w" in "m" at 0 rows 8>]
func.func @unread_weight() {
  %w = moe.get_weight @w : tensor<8xf32>
  return
}
