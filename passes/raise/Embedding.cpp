// Finds the embeddings of tokens in a function.
#include "passes/raise/Embedding.h"
#include "passes/raise/Structure.h"

#include "dialects/moe/MoE.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

/// Whether `op` gives each element of its only operand in another integer type, in the same place.
static bool convertsIntegers(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic)
    return isa<arith::TruncIOp, arith::ExtSIOp>(op);
  return (computes<arith::TruncIOp>(op) || computes<arith::ExtSIOp>(op)) && generic.getNumDpsInputs() == 1 &&
         llvm::all_of(generic.getIndexingMapsArray(), [](AffineMap map) { return map.isIdentity(); });
}

/// The argument that `value` is, seen in other shapes and integer types.
static BlockArgument argumentBehind(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp>(op) && !convertsIntegers(op))
      return {};
    value = op->getOperand(0);
  }
  return dyn_cast<BlockArgument>(value);
}

/// `id` as an index, whatever is taken where it is negative, which an id is not.
static Value withoutNegatives(Value row) {
  if (auto select = row.getDefiningOp<arith::SelectOp>()) {
    auto compare = select.getCondition().getDefiningOp<arith::CmpIOp>();
    if (!compare || compare.getPredicate() != arith::CmpIPredicate::slt || compare.getLhs() != select.getFalseValue() ||
        !matchPattern(compare.getRhs(), m_Zero()))
      return {};
    row = select.getFalseValue();
  }
  if (auto cast = row.getDefiningOp<arith::IndexCastOp>())
    row = cast.getIn();
  return row;
}

/// The table of which a gather, as it is imported, takes for each id the row that it says: elements from the row that the id says
/// and the column that the innermost loop says, in order. Null for anything else.
static Value tableOf(linalg::GenericOp gather) {
  if (gather.getNumDpsInputs() != 1 || gather.getNumResults() != 1 || gather.getNumReductionLoops())
    return {};
  auto extract = gather.getBody()->getTerminator()->getOperand(0).getDefiningOp<tensor::ExtractOp>();
  if (!extract || !extract.getTensor().getDefiningOp<moe::GetWeightOp>() || extract.getIndices().size() != 2)
    return {};
  unsigned loops = gather.getNumLoops();
  auto column = extract.getIndices()[1].getDefiningOp<linalg::IndexOp>();
  auto type = cast<RankedTensorType>(gather->getResult(0).getType());
  AffineMap ofIds = gather.getMatchingIndexingMap(gather.getDpsInputOperand(0));
  bool isRow = column && column.getDim() + 1 == loops &&
               ofIds == AffineMap::getMultiDimIdentityMap(loops, gather.getContext()).dropResult(loops - 1) &&
               gather.getMatchingIndexingMap(gather.getDpsInitOperand(0)).isIdentity() &&
               type.getShape().back() == cast<RankedTensorType>(extract.getTensor().getType()).getDimSize(1);
  return isRow && withoutNegatives(extract.getIndices()[0]) == gather.getBody()->getArgument(0) ? extract.getTensor() : Value();
}

std::optional<Embedding> passes::findEmbedding(func::FuncOp function, std::string &problem) {
  for (Operation &op : function.getBody().front()) {
    Value ids, table;
    if (auto embed = dyn_cast<moe::EmbedOp>(op)) {
      ids = embed.getIds(), table = embed.getTable();
    } else if (auto gather = dyn_cast<linalg::GenericOp>(op)) {
      table = tableOf(gather);
      ids = table ? gather.getDpsInputs()[0] : Value();
    }
    BlockArgument argument = ids ? argumentBehind(ids) : BlockArgument();
    auto type = argument ? dyn_cast<RankedTensorType>(argument.getType()) : RankedTensorType();
    if (!type || !type.getElementType().isInteger())
      continue;
    if (type.getRank() == 2 && type.getNumDynamicDims() == 2)
      return Embedding{argument, table, op.getResult(0)};
    if (problem.empty()) {
      llvm::raw_string_ostream(problem) << "its token ids are '" << type
                                        << "': export it with a dynamic number of sequences and of tokens, tensor<?x?x"
                                        << type.getElementType() << '>';
    }
  }
  return std::nullopt;
}
