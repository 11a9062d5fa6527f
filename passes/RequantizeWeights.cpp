// Rounds the weights of products to integers with scales: says which files the compiler is to compute, and reads those instead.
#include "dialects/moe/Requantization.h"
#include "passes/Passes.h"
#include "passes/Readers.h"
#include "passes/Remarks.h"
#include "passes/Routers.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_REQUANTIZEWEIGHTS
#include "passes/Passes.h.inc"

namespace {
/// Neighbours in a row that share a scale. Eight bits have enough room for rows of widely different numbers.
constexpr int64_t groupOfInt8 = 128, groupOfInt4 = 32;

/// What a function returns as logits.
Value logitsOf(func::FuncOp function) {
  for (OpOperand &result : function.getBody().front().getTerminator()->getOpOperands())
    if (auto name = function.getResultAttrOfType<StringAttr>(result.getOperandNumber(), "moe.output");
        name && name.getValue() == "logits")
      return result.get();
  return {};
}

struct RequantizeWeights : impl::RequantizeWeightsBase<RequantizeWeights> {
  using Base::Base;

  void runOnOperation() override {
    if (format == WeightFormat::AsStored)
      return;
    ModuleOp module = getOperation();
    SymbolTable table(module);
    symbols = &table;
    if (auto before = module->getAttrOfType<DictionaryAttr>(requantizedAttrName()))
      files.append(before.begin(), before.end());
    DenseSet<Operation *> controls = controlsOf(module);
    DenseSet<Value> heads;
    for (auto function : module.getOps<func::FuncOp>())
      heads.insert(logitsOf(function));
    module.walk([&](Operation *op) {
      if (!isa<LinearOp, GroupedLinearOp, GatedMLPOp, ExpertsOp, LatentAttentionOp>(op) || controls.contains(op))
        return;
      bool isHead = op->getNumResults() && heads.contains(op->getResult(0));
      int64_t rank = isa<ExpertsOp>(op) ? 3 : 2; // experts' biases are matrices, too
      for (OpOperand &operand : op->getOpOperands())
        if (isMatrix(operand.get(), rank))
          operand.set(requantized(operand.get(), isHead || isa<LatentAttentionOp>(op) ? WeightFormat::Int8 : format));
    });
    finish();
    dropUnread();
    if (!files.empty())
      module->setAttr(requantizedAttrName(), files.getDictionary(module.getContext()));
    files.clear();
  }

  /// Forgets files of numbers spelt out that nobody reads any more.
  void dropUnread() {
    llvm::StringSet<> read;
    for (auto weight : getOperation().getOps<WeightOp>())
      for (auto slice : weight.getSlices().getAsRange<SliceAttr>())
        read.insert(slice.getFile());
    SmallVector<StringAttr> unread;
    for (NamedAttribute file : files)
      if (!read.contains(file.getName()))
        unread.push_back(file.getName());
    for (StringAttr name : unread)
      files.erase(name);
  }

  /// Whether a value is a weight, of at least that rank.
  static bool isMatrix(Value value, int64_t rank) {
    Operation *op = value.getDefiningOp();
    return isa_and_nonnull<GetWeightOp, DequantizeOp>(op) && cast<RankedTensorType>(value.getType()).getRank() >= rank;
  }

  std::optional<StoredTensor> storedIn(Value value) {
    auto get = value.getDefiningOp<GetWeightOp>();
    if (!get)
      return std::nullopt;
    auto weight = symbols->lookup<WeightOp>(get.getWeight());
    replaced.insert(weight);
    return StoredTensor{cast<RankedTensorType>(weight.getType()), weight.getSlices()};
  }

  /// Whether the weight lies in a file that is computed, too.
  bool isComputed(Value weight) {
    auto get = weight.getDefiningOp<GetWeightOp>();
    auto declared = get ? symbols->lookup<WeightOp>(get.getWeight()) : WeightOp();
    return declared && llvm::any_of(declared.getSlices().getAsRange<SliceAttr>(),
                                    [&](SliceAttr slice) { return bool(files.get(slice.getFile())); });
  }

  /// What a computed file of numbers spelt out, which the weight is all of, is made of.
  std::optional<Requantization> spelledOut(Value weight) {
    auto declared = symbols->lookup<WeightOp>(weight.getDefiningOp<GetWeightOp>().getWeight());
    auto slice = cast<SliceAttr>(declared.getSlices()[0]);
    llvm::Expected<std::optional<Requantization>> file = findRequantization(getOperation(), slice.getFile());
    if (!file) {
      llvm::consumeError(file.takeError());
      return std::nullopt;
    }
    bool isWhole = *file && (*file)->isPlain() && declared.getSlices().size() == 1 && slice.getOffset() == 0 &&
                   (*file)->values.type.getShape() == cast<RankedTensorType>(declared.getType()).getShape();
    if (!isWhole)
      return std::nullopt;
    replaced.insert(declared);
    return *file;
  }

  /// What the weight is made of; nothing where that is not declared, or is itself computed from a part of something.
  std::optional<Requantization> sourceOf(Value weight) {
    if (isComputed(weight))
      return spelledOut(weight);
    Requantization file;
    auto dequantize = weight.getDefiningOp<DequantizeOp>();
    std::optional<StoredTensor> values = storedIn(dequantize ? dequantize.getValues() : weight);
    if (!values)
      return std::nullopt;
    file.values = *values;
    if (dequantize) {
      file.scales = storedIn(dequantize.getScales());
      file.global = dequantize.getGlobal() ? storedIn(dequantize.getGlobal()) : std::nullopt;
      file.zeros = dequantize.getZeros() ? storedIn(dequantize.getZeros()) : std::nullopt;
      file.format = dequantize.getFormat();
    }
    return file;
  }

  Value requantized(Value weight, WeightFormat wanted) {
    if (Value done = known.lookup({weight, wanted}))
      return done;
    int64_t width = widthOf(weight.getType());
    // Rows are whole bytes.
    bool isInt4 = wanted == WeightFormat::Int4 && width % 2 == 0;
    auto dequantize = weight.getDefiningOp<DequantizeOp>();
    Value numbers = dequantize ? dequantize.getValues() : weight;
    int64_t bits = getElementTypeOrSelf(numbers.getType()).getIntOrFloatBitWidth();
    StringRef name = numbers.getDefiningOp<GetWeightOp>() ? numbers.getDefiningOp<GetWeightOp>().getWeight() : "";
    remark::RemarkOpts label = remarkOf(getArgument(), weight.getDefiningOp());
    if (bits <= 4 || name.empty()) {
      remark::missed(weight.getLoc(), label)
          << llvm::formatv("'{0}' is stored in {1} bits: rounding again would only lose", name, bits).str();
      return known[{weight, wanted}] = weight;
    }
    OpBuilder builder(weight.getDefiningOp());
    std::optional<Requantization> file = sourceOf(weight);
    if (!file) {
      remark::missed(weight.getLoc(), label) << llvm::formatv("'{0}' is computed from parts of others", name).str();
      return known[{weight, wanted}] = weight;
    }
    file->element = isInt4 ? Type(builder.getIntegerType(4, /*isSigned=*/false)) : builder.getI8Type();
    file->columns = std::min(width, isInt4 ? groupOfInt4 : groupOfInt8);
    std::string suffix = isInt4 ? ".int4" : ".int8", path = (name + suffix).str();
    int64_t before = storedBytes(weight);
    remark::passed(weight.getLoc(), label) << llvm::formatv("'{0}' from {1} to {2} bits in groups of {3}: {4} KB become {5}", name,
                                                            bits, isInt4 ? 4 : 8, file->columns, before / 1024,
                                                            file->bytes() / 1024)
                                                  .str();
    files.set(path, file->attribute());
    rounded.push_back(weight);
    return known[{weight, wanted}] = read(*file, path, weight, builder);
  }

  /// The weight that is read from `file`, which slices call `path`.
  Value read(const Requantization &file, StringRef path, Value weight, OpBuilder &builder) {
    SmallVector<int64_t> shape(file.values.type.getShape()), scaleShape = shape;
    scaleShape.back() = file.scalesOfRow();
    // Beside what they replace, so that readers find them together; numbers first, as their scales come out with them.
    WeightOp numbers = declare(path, RankedTensorType::get(shape, file.element), path, 0, file.rowBytes(), replaced.back());
    WeightOp scales = declare((path + ".scales").str(), RankedTensorType::get(scaleShape, builder.getBF16Type()), path,
                              file.scalesOffset(), file.scaleRowBytes(), numbers);
    auto get = [&](WeightOp op) -> Value { return GetWeightOp::create(builder, weight.getLoc(), op.getType(), op.getSymName()); };
    Value values = get(numbers), factors = get(scales);
    auto format = NumberFormatAttr::get(&getContext(), /*rows=*/1, file.columns, file.zeroPoint(), /*divides=*/false,
                                        /*first_row=*/0, /*tensor_rows=*/0);
    return DequantizeOp::create(builder, weight.getLoc(), dequantizedType(values.getType()), values, factors, /*global=*/Value(),
                                /*zeros=*/Value(), format);
  }

  /// Bytes from `offset` on of the file `path` as a weight, behind another one.
  WeightOp declare(StringRef name, RankedTensorType type, StringRef path, int64_t offset, int64_t rowBytes, WeightOp before) {
    ArrayRef<int64_t> shape = type.getShape();
    bool isStack = shape.size() == 3;
    int64_t times = isStack && shape[0] > 1 ? shape[0] : 1;
    auto slice =
        SliceAttr::get(&getContext(), name, path, offset, isStack ? 1 : shape[0], times, times > 1 ? shape[1] * rowBytes : 0);
    OpBuilder builder(&getContext());
    auto declared =
        WeightOp::create(builder, before.getLoc(), builder.getStringAttr(name), TypeAttr::get(type), builder.getArrayAttr(slice));
    symbols->insert(declared, std::next(before->getIterator()));
    return declared;
  }

  /// Erases what nobody reads any more, and forgets it.
  void finish() {
    llvm::SetVector<Operation *> sources;
    for (Value weight : rounded)
      sources.insert(weight.getDefiningOp());
    for (Operation *source : sources)
      eraseUnused(source);
    eraseUnread(getOperation(), replaced.takeVector());
    rounded.clear();
    known.clear();
  }

  SymbolTable *symbols = nullptr;
  NamedAttrList files;
  llvm::SetVector<WeightOp> replaced;
  SmallVector<Value> rounded;
  DenseMap<std::pair<Value, WeightFormat>, Value> known;
};
} // namespace
} // namespace moec::passes
