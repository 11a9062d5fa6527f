module attributes {moe.family = "onnx", moe.folder = "FOLDER"} {
  moe.weight @w : tensor<2x3xf32> = [#moe.slice<"w" in "weights" at 4 rows 2>]
  func.func @main(%x: tensor<?x2xf32> {moe.input = "x"}, %n: tensor<i64> {moe.input = "n"})
      -> (tensor<?x3xf32> {moe.output = "y"}, tensor<?xi8> {moe.output = "bytes", moe.unsigned}) {
    %w = moe.get_weight @w : tensor<2x3xf32>
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %rows = tensor.dim %x, %c0 : tensor<?x2xf32>
    %empty = tensor.empty(%rows) : tensor<?x3xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x3xf32>) -> tensor<?x3xf32>
    %y = linalg.matmul ins(%x, %w : tensor<?x2xf32>, tensor<2x3xf32>) outs(%zeros : tensor<?x3xf32>) -> tensor<?x3xf32>
    %count64 = tensor.extract %n[] : tensor<i64>
    %zero64 = arith.constant 0 : i64
    %positive = arith.cmpi sge, %count64, %zero64 : i64
    cf.assert %positive, "node 'range' (Range): expected n >= 0"
    %count = arith.index_cast %count64 : i64 to index
    %bytes = tensor.generate %count {
    ^bb0(%i: index):
      %byte = arith.index_cast %i : index to i8
      tensor.yield %byte : i8
    } : tensor<?xi8>
    return %y, %bytes : tensor<?x3xf32>, tensor<?xi8>
  }
}
