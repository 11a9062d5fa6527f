// The stages of a mixture of experts behind dispatch: the hidden rows of every chosen expert, their combination.
//
// The work is dealt out as pairs of an expert and a block's columns: in a step of one token, one pair a block.
#include "lowering/kernel/Functions.h"
#include "lowering/kernel/Operands.h"
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/experts/ChosenExperts.h"
#include "lowering/nvptx/launches/LaunchOrder.h"
#include "lowering/nvptx/products/Product.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

namespace {
/// Products of the chosen experts' weights with their tokens' rows, and of the shared experts' with all rows, dealt out over
/// blocks.
class ExpertProducts {
public:
  using Blocks = Product::Blocks;

  /// Of each of `experts`, of which a token has k, and of the shared ones, which may have no columns.
  ExpertProducts(KernelFrame &frame, moe::Compute compute, bool byMatrix, Pointer offsets, int64_t experts, int64_t k,
                 ProductSizes sizes, ProductSizes shared)
      : strategy(choose(frame, compute, byMatrix, sizes, shared, experts, k)), frame(frame), b(frame.b), offsets(offsets),
        experts(experts), k(k), columns(sizes.columns), sharedColumns(shared.columns), groups(sizes.groups),
        memory(frame.allocateShared(frame.b.i32, ChosenExperts::memoryFor(experts, Product::threads))) {}

  const Product::Strategy strategy;

  /// As many blocks as a step of one token has work for.
  int64_t blocks() const {
    return k * Product::blocksOf(columns, strategy.byMatrix) + Product::blocksOf(sharedColumns, strategy.byMatrix);
  }

  /// Of an expert's or the shared columns; shared rows are [begin, end).
  using ForExpert = function_ref<void(Blocks, Number block, ChosenExperts::Piece)>;
  using ForShared = function_ref<void(Blocks, Number block, Number begin, Number end)>;
  /// Calls them for what falls to block `piece`.
  void forShare(Number piece, ForExpert forExpert, ForShared forShared) const {
    auto narrow = [&] { forShare(Blocks::narrow, piece, forExpert, forShared); };
    if (!strategy.tilesFrom)
      return narrow();
    b.ifThenElse(strategy.tilesPay(frame), [&] { forShare(Blocks::tiles, piece, forExpert, forShared); }, narrow);
  }

private:
  void forShare(Blocks cut, Number piece, ForExpert forExpert, ForShared forShared) const {
    std::optional<int64_t> longest; // rows of a piece
    if (strategy.byMatrix && frame.mostRows > TileProduct::rows)
      longest = TileProduct::rows;
    auto blocksOf = [&](int64_t columns) {
      return cut == Blocks::tiles ? Product::tilesOf(columns, groups) : Product::blocksOf(columns, strategy.byMatrix);
    };
    const ChosenExperts chosen(b, offsets, experts, longest, memory);
    Number ofExperts = chosen.count() * blocksOf(columns),
           rowPieces = longest ? (frame.rows + (*longest - 1)) / *longest : minimum(frame.rows, b.integer(1));
    b.forRange(piece, ofExperts + rowPieces * blocksOf(sharedColumns), blocks(), [&](Number item) {
      auto expert = [&] { forExpert(cut, item % blocksOf(columns), chosen.at(item / blocksOf(columns))); };
      if (!sharedColumns)
        return expert();
      b.ifThenElse(item < ofExperts, expert, [&] {
        Number shared = item - ofExperts;
        if (!longest)
          return forShared(cut, shared, b.integer(0), frame.rows);
        Number begin = shared / blocksOf(sharedColumns) * *longest;
        forShared(cut, shared % blocksOf(sharedColumns), begin, minimum(begin + *longest, frame.rows));
      });
    });
  }

  static Product::Strategy choose(KernelFrame &frame, moe::Compute compute, bool byMatrix, ProductSizes sizes, ProductSizes shared,
                                  int64_t experts, int64_t k) {
    sizes.planes = experts;
    sizes.chosenPlanes = k;
    const ProductSizes both[] = {sizes, shared};
    return Product::choose(frame, compute, byMatrix, ArrayRef(both).take_front(shared.columns ? 2 : 1));
  }

  KernelFrame &frame;
  KernelBuilder &b;
  const Pointer offsets;
  const int64_t experts, k, columns, sharedColumns, groups;
  const Pointer memory; ///< of which experts are chosen
};
} // namespace

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::ExpertHiddenOp op) {
  KernelBuilder &b = frame.b;
  const ExpertHiddenOperands given(frame, op);
  int64_t sharedColumns = given.sharedGate ? given.sharedGate.leadingRows() : 0;
  auto isCovered = [&](const Weight &gate) { return MatrixProduct::covers(b.target, op.getCompute(), gate.storage(), given.in); };
  bool byMatrix = isCovered(given.gate) && (!given.sharedGate || isCovered(given.sharedGate));
  ProductSizes sizes = Product::sizesOf(given.gate.storage(), given.intermediate, given.in, 2), shared;
  if (given.sharedGate)
    shared = Product::sizesOf(given.sharedGate.storage(), sharedColumns, given.in, 2);
  const ExpertProducts products(frame, op.getCompute(), byMatrix, given.offsets, given.experts, given.k, sizes, shared);
  frame.launch(Product::threads, {KernelFrame::constant(products.blocks())});

  auto elementAt = [&](Pointer place, Number g, Number u) { return Product::Element{place, activate(op.getActivation(), g, u)}; };
  products.forShare(
      b.block(0),
      [&](Product::Blocks cut, Number block, ChosenExperts::Piece piece) {
        auto assignmentAt = [&](Number i) { return (given.order + piece.begin + i).loadIndex(); };
        frame.alternative([&] {
          Product product(frame, products.strategy, given.gate.storage(), op.getCompute(), given.in, {}, 2);
          product.multiply(
              cut, block, given.intermediate, piece.end - piece.begin,
              [&](int64_t group, Number column) { return (group ? given.up : given.gate).matrixRow(piece.expert, column); },
              [&](Number i) { return given.input + assignmentAt(i) / given.k * given.in; },
              [&](Number i, Number column, ArrayRef<Number> sums) {
                Number g = sums[0], u = sums[1];
                if (given.weights.builder) { // products are linear: the weight of their input is theirs
                  Number weight = (given.weights + assignmentAt(i)).load();
                  g = weight * g;
                  u = weight * u;
                }
                if (given.gateBias) {
                  g = g + (given.gateBias.row(piece.expert) + column).loadF32();
                  u = u + (given.upBias.row(piece.expert) + column).loadF32();
                }
                return elementAt(given.hidden.slot(assignmentAt(i)) + column, g, u);
              });
        });
      },
      [&](Product::Blocks cut, Number block, Number begin, Number end) {
        frame.alternative([&] {
          Product product(frame, products.strategy, given.sharedGate.storage(), op.getCompute(), given.in, {}, 2);
          product.multiply(
              cut, block, sharedColumns, end - begin,
              [&](int64_t group, Number column) { return (group ? given.sharedUp : given.sharedGate).matrixRow(column); },
              [&](Number row) { return given.input + (begin + row) * given.in; },
              [&](Number row, Number column, ArrayRef<Number> sums) {
                return elementAt(given.hidden.shared(begin + row) + column, sums[0], sums[1]);
              });
        });
      });
}

namespace {
/// First the products of every assignment and of the shared experts, each in its place in the workspace; then, when all are there,
/// their sum, in the order of a token's slots.
class Combination {
public:
  Combination(KernelFrame &frame, moe::CombineOp op)
      : frame(frame), b(frame.b), given(frame, op), compute(op.getCompute()),
        sharedWidth(given.sharedDown ? given.sharedDown.width() : 0),
        byMatrix(isCovered(given.down, given.intermediate) && (!sharedWidth || isCovered(given.sharedDown, sharedWidth))),
        expertProducts(frame, compute, byMatrix, given.offsets, given.experts, given.k, sizesOf(given.down, given.intermediate),
                       sizesOf(given.sharedDown, sharedWidth)),
        order(frame, stageCount), ofRow(int64_t(llvm::alignTo(uint64_t((given.k + (sharedWidth != 0)) * given.out), 8))),
        products(frame.allocateForRows(b.f32, ofRow)) {}

  void emit() {
    // No block waits for rows that there are none of.
    frame.launch(Product::threads, {{.extent = frame.kernel.getRows(), .factor = sumsOfRow(), .addend = expertProducts.blocks()},
                                    frame.perRow(mostRows)});
    Number piece = order.piece();
    b.ifThenElse(
        piece < expertProducts.blocks(),
        [&] {
          multiply(piece);
          order.finish(product);
        },
        [&] {
          order.waitFor(product, b.integer(expertProducts.blocks()));
          sum(piece - expertProducts.blocks());
          order.finishLast(frame.rows * sumsOfRow());
        });
  }

private:
  enum Stage : int64_t { product, addition, stageCount };
  static constexpr int64_t mostRows = std::numeric_limits<int32_t>::max();
  /// Columns of a row that a block adds up.
  static constexpr int64_t summedColumns = 4 * Product::threads;
  int64_t sumsOfRow() const { return llvm::divideCeil(given.out, summedColumns); }

  ProductSizes sizesOf(const Weight &down, int64_t width) const {
    return down ? Product::sizesOf(down.storage(), given.out, width, 1) : ProductSizes();
  }
  bool isCovered(const Weight &down, int64_t width) const {
    return MatrixProduct::covers(b.target, compute, down.storage(), width, {given.hidden.width, given.intermediate});
  }

  /// The product of a row's slot, k for the shared experts'.
  Pointer place(Number row, Number slot, Number column) const { return products + row * ofRow + slot * given.out + column; }

  void multiply(Number piece) {
    int64_t hiddenWidth = given.hidden.width;
    expertProducts.forShare(
        piece,
        [&](Product::Blocks cut, Number block, ChosenExperts::Piece piece) {
          frame.alternative([&] {
            Product product(frame, expertProducts.strategy, given.down.storage(), compute, given.intermediate, {hiddenWidth}, 1);
            auto assignmentAt = [&](Number i) { return (given.order + piece.begin + i).loadIndex(); };
            product.multiply(
                cut, block, given.out, piece.end - piece.begin,
                [&](int64_t, Number column) { return given.down.matrixRow(piece.expert, column); },
                [&](Number i) { return given.hidden.slot(assignmentAt(i)); },
                [&](Number i, Number column, ArrayRef<Number> sums) {
                  Number sum = sums[0], assignment = assignmentAt(i);
                  if (given.downBias)
                    sum = sum + (given.downBias.row(piece.expert) + column).loadF32();
                  return Product::Element{place(assignment / given.k, assignment % given.k, column), sum};
                });
          });
        },
        [&](Product::Blocks cut, Number block, Number begin, Number end) {
          frame.alternative([&] {
            Product product(frame, expertProducts.strategy, given.sharedDown.storage(), compute, sharedWidth,
                            {hiddenWidth, given.k * given.intermediate}, 1);
            product.multiply(
                cut, block, given.out, end - begin, [&](int64_t, Number column) { return given.sharedDown.matrixRow(column); },
                [&](Number row) { return given.hidden.shared(begin + row); },
                [&](Number row, Number column, ArrayRef<Number> sums) {
                  return Product::Element{place(begin + row, b.integer(given.k), column), sums[0]};
                });
          });
        });
  }

  void sum(Number piece) {
    Number row = piece / sumsOfRow(), first = piece % sumsOfRow() * summedColumns;
    auto [lanes, step] = KernelBuilder::columnsOfThread(given.out, Product::threads);
    b.forRange(first + b.thread() * step, minimum(first + summedColumns, b.integer(given.out)), Product::threads * step,
               [&](Number column) {
                 Number total = b.real(0).splat(lanes);
                 for (int64_t slot = 0; slot < given.k; ++slot) {
                   Number weight = given.weights.builder ? (given.weights + row * given.k + slot).load() : b.real(1);
                   total = fma(weight.splat(lanes), place(row, b.integer(slot), column).load(lanes), total);
                 }
                 if (sharedWidth)
                   total = total + place(row, b.integer(given.k), column).load(lanes);
                 Number element = row * given.out + column;
                 if (given.residual.builder)
                   total = total + (given.residual + element).load(lanes);
                 (given.result + element).store(total);
               });
  }

  KernelFrame &frame;
  KernelBuilder &b;
  const CombineOperands given;
  const moe::Compute compute;
  const int64_t sharedWidth; ///< of the shared experts' hidden columns
  const bool byMatrix;
  const ExpertProducts expertProducts;
  LaunchOrder order;
  const int64_t ofRow;    ///< f32 of a row's products
  const Pointer products; ///< f32 [rows, k, and one more for the shared experts, out]
};
} // namespace

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::CombineOp op) { Combination(frame, op).emit(); }
