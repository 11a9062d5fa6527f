// A decoder whose parts tests replace, line by line.
module attributes {moe.family = "onnx", moe.folder = "/"} {
moe.weight @table : tensor<6x8xf32> = [#moe.slice<"table" in "m" at 0 rows 6>]
moe.weight @square : tensor<8x8xf32> = [#moe.slice<"square" in "m" at 192 rows 8>]
func.func @main(%ids: tensor<?x?xi64> {moe.input = "input_ids"}, %past_key: tensor<?x2x?x4xf32> {moe.input = "past.key"}, %past_value: tensor<?x2x?x4xf32> {moe.input = "past.value"})
    -> (tensor<?x?x6xf32> {moe.output = "logits"}, tensor<?x2x?x4xf32> {moe.output = "present.key"}, tensor<?x2x?x4xf32> {moe.output = "present.value"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi64>
  %s = tensor.dim %ids, %c1 : tensor<?x?xi64>
  %p = tensor.dim %past_key, %c2 : tensor<?x2x?x4xf32>
  %t = arith.addi %p, %s : index
  %table = moe.get_weight @table : tensor<6x8xf32>
  %w = moe.get_weight @square : tensor<8x8xf32>
  %e = tensor.empty(%b, %s) : tensor<?x?x8xf32>
  %x = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j)>, affine_map<(i, j, k) -> (i, j, k)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%ids : tensor<?x?xi64>) outs(%e : tensor<?x?x8xf32>) {
  ^bb0(%id: i64, %o: f32):
    %row = arith.index_cast %id : i64 to index
    %column = linalg.index 2 : index
    %v = tensor.extract %table[%row, %column] : tensor<6x8xf32>
    linalg.yield %v : f32
  } -> tensor<?x?x8xf32>
  %rows = tensor.collapse_shape %x [[0, 1], [2]] : tensor<?x?x8xf32> into tensor<?x8xf32>
  %k = moe.linear %rows, %w : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %v2 = moe.linear %rows, %w : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %e4 = tensor.empty(%b, %s) : tensor<?x2x?x4xf32>
  %kh = tensor.expand_shape %k [[0, 1], [2, 3]] output_shape [%b, %s, 2, 4] : tensor<?x8xf32> into tensor<?x?x2x4xf32>
  %k4 = linalg.transpose ins(%kh : tensor<?x?x2x4xf32>) outs(%e4 : tensor<?x2x?x4xf32>) permutation = [0, 2, 1, 3]
  %vh = tensor.expand_shape %v2 [[0, 1], [2, 3]] output_shape [%b, %s, 2, 4] : tensor<?x8xf32> into tensor<?x?x2x4xf32>
  %v4 = linalg.transpose ins(%vh : tensor<?x?x2x4xf32>) outs(%e4 : tensor<?x2x?x4xf32>) permutation = [0, 2, 1, 3]
  %present_key = tensor.concat dim(2) %past_key, %k4 : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %present_value = tensor.concat dim(2) %past_value, %v4 : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %em = tensor.empty(%s, %t) : tensor<?x?xf32>
  %mask = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} outs(%em : tensor<?x?xf32>) {
  ^bb0(%o: f32):
    %high = arith.constant 0.0 : f32
    %low = arith.constant -3.40282347E+38 : f32
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %own = arith.addi %i, %p : index
    %sees = arith.cmpi sle, %j, %own : index
    %v = arith.select %sees, %high, %low : f32
    linalg.yield %v : f32
  } -> tensor<?x?xf32>
  %bias = tensor.expand_shape %mask [[0, 1, 2], [3]] output_shape [1, 1, %s, %t] : tensor<?x?xf32> into tensor<1x1x?x?xf32>
  %et = tensor.empty(%b, %t) : tensor<?x?x2x4xf32>
  %kt = linalg.transpose ins(%present_key : tensor<?x2x?x4xf32>) outs(%et : tensor<?x?x2x4xf32>) permutation = [0, 2, 1, 3]
  %vt = linalg.transpose ins(%present_value : tensor<?x2x?x4xf32>) outs(%et : tensor<?x?x2x4xf32>) permutation = [0, 2, 1, 3]
  %kr = tensor.collapse_shape %kt [[0, 1], [2, 3]] : tensor<?x?x2x4xf32> into tensor<?x8xf32>
  %vr = tensor.collapse_shape %vt [[0, 1], [2, 3]] : tensor<?x?x2x4xf32> into tensor<?x8xf32>
  %count = arith.index_cast %t : index to i64
  %el = tensor.empty(%b) : tensor<?xi64>
  %lengths = linalg.fill ins(%count : i64) outs(%el : tensor<?xi64>) -> tensor<?xi64>
  %o = moe.attention %k across %kr, %vr : tensor<?x8xf32>, tensor<?x8xf32> of %lengths bias %bias : tensor<1x1x?x?xf32> {head_dim = 4 : i64, scale = 0.5 : f64} : tensor<?x8xf32> -> tensor<?x8xf32>
  %l = moe.linear %o, %table : tensor<?x8xf32>, tensor<6x8xf32> -> tensor<?x6xf32>
  %logits = tensor.expand_shape %l [[0, 1], [2]] output_shape [%b, %s, 6] : tensor<?x6xf32> into tensor<?x?x6xf32>
  return %logits, %present_key, %present_value : tensor<?x?x6xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>
}
}
