// Makes one matrix product of those that share an input, where saved launches and reads pay for the copies of columns.
#include "passes/Passes.h"
#include "passes/Readers.h"
#include "passes/Remarks.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_FUSELINEARS
#include "passes/Passes.h.inc"

namespace {
using Linears = SmallVector<LinearOp>;

/// How a weight is stored: the types of its numbers, scales and zero points, and what they mean; null for plain numbers.
using Storage = std::tuple<Type, Type, Type, Attribute>;
/// What linears must have in common: input, compute type, storage of the weight, type of the bias (null without one).
using Key = std::tuple<Value, Compute, Storage, Type>;

/// Whether `value` is a declared weight, so that its slices are known.
bool isDeclared(Value value) { return value && value.getDefiningOp<GetWeightOp>() != nullptr; }

/// How `weight` is stored, if its rows can follow or precede those of others.
std::optional<Storage> storageOf(Value weight) {
  if (isDeclared(weight))
    return Storage(getElementTypeOrSelf(weight.getType()), {}, {}, {});
  auto dequantize = weight.getDefiningOp<DequantizeOp>();
  if (!dequantize || !isDeclared(dequantize.getValues()) || !isDeclared(dequantize.getScales()) || dequantize.getGlobal() ||
      (dequantize.getZeros() && !isDeclared(dequantize.getZeros())) || dequantize.getFormat().getTensorRows())
    return std::nullopt;
  return Storage(getElementTypeOrSelf(dequantize.getValues().getType()), getElementTypeOrSelf(dequantize.getScales().getType()),
                 dequantize.getZeros() ? getElementTypeOrSelf(dequantize.getZeros().getType()) : Type(), dequantize.getFormat());
}

std::optional<Key> keyOf(LinearOp op) {
  std::optional<Storage> storage = storageOf(op.getWeight());
  if (op.getResidual() || !storage || (op.getBias() && !isDeclared(op.getBias())))
    return std::nullopt;
  Type bias = op.getBias() ? getElementTypeOrSelf(op.getBias().getType()) : Type();
  return Key(op.getInput(), op.getCompute(), *storage, bias);
}

/// Whether blocks of scales end where each of the products but the last ends, so that the next one's scales can follow.
bool endWithBlocks(ArrayRef<LinearOp> linears) {
  return llvm::all_of(linears.drop_back(), [](LinearOp op) {
    auto dequantize = op.getWeight().getDefiningOp<DequantizeOp>();
    return !dequantize || widthOf(op.getType()) % dequantize.getFormat().getRows() == 0;
  });
}

/// How many elements two ranges have in common at their beginnings.
template <typename Iterator> size_t commonLength(Iterator a, Iterator aEnd, Iterator b, Iterator bEnd) {
  return std::mismatch(a, aEnd, b, bEnd).first - a;
}

/// `a.q.weight` and `a.kv.weight` to `a.{q,kv}.weight`: what the names share at both ends, cut at dots, is written once.
std::string joinNames(SmallVector<StringRef> names) {
  StringRef head = names.front();
  for (StringRef name : names)
    head = head.take_front(commonLength(head.begin(), head.end(), name.begin(), name.end()));
  head = head.take_front(head.rfind('.') + 1); // npos + 1 is 0
  for (StringRef &name : names)
    name = name.drop_front(head.size());
  StringRef tail = names.front();
  for (StringRef name : names)
    tail = tail.take_back(commonLength(tail.rbegin(), tail.rend(), name.rbegin(), name.rend()));
  tail = tail.drop_front(std::min(tail.find('.'), tail.size()));
  for (StringRef &name : names)
    name = name.drop_back(tail.size());
  return (head + "{" + llvm::join(names, ",") + "}" + tail).str();
}

struct FuseLinears : impl::FuseLinearsBase<FuseLinears> {
  using Base::Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      llvm::MapVector<Key, Linears> groups;
      function.walk([&](LinearOp op) {
        if (std::optional<Key> key = keyOf(op))
          groups[*key].push_back(op);
      });
      for (Linears &linears : llvm::make_second_range(groups))
        if (linears.size() > 1 && canFollow(linears) && pays(linears, typicalWorkload(function)))
          fuse(linears, symbols);
    }
    eraseUnread(getOperation(), replaced.takeVector());
  }

  /// Whether the products' scales can follow one another; says so if not.
  bool canFollow(ArrayRef<LinearOp> linears) {
    if (endWithBlocks(linears))
      return true;
    LinearOp first = linears.front();
    remark::missed(first.getLoc(), remarkOf(getArgument(), first))
        << "blocks of rows that share a scale do not end where the products end";
    return false;
  }

  /// Compares what joining `linears` saves with what the copies of columns cost, and says so.
  bool pays(ArrayRef<LinearOp> linears, Workload workload) {
    LinearOp first = linears.front();
    double tokens = double(workload.tokens), others = double(linears.size() - 1);
    double saved = others * (double(launchBytes) + tokens * 4 * double(widthOf(first.getInput().getType())));
    double copied = 0;
    for (LinearOp linear : linears)
      if (!llvm::all_of(linear->getUsers(), isRowwise))
        copied += double(launchBytes) + tokens * 8 * double(widthOf(linear.getType()));
    bool pays = saved > copied;
    remark::RemarkOpts label = remarkOf(getArgument(), first);
    (pays ? remark::passed(first.getLoc(), label) : remark::missed(first.getLoc(), label))
        << llvm::formatv(
               "{0} products of one input: joining saves {1:f0} KB of launches and reads, copies of columns cost {2:f0} KB",
               linears.size(), saved / 1024, copied / 1024)
               .str();
    return pays;
  }

  void fuse(ArrayRef<LinearOp> linears, SymbolTable &symbols) {
    LinearOp first = linears.front();
    OpBuilder builder(first);
    SmallVector<Location> locs;
    SmallVector<Value> weights, biases;
    for (LinearOp linear : linears) {
      locs.push_back(linear.getLoc());
      weights.push_back(linear.getWeight());
      if (linear.getBias())
        biases.push_back(linear.getBias());
    }
    Value weight = join(weights, symbols, builder), bias = biases.empty() ? Value() : join(biases, symbols, builder);
    int64_t width = cast<RankedTensorType>(weight.getType()).getDimSize(0);
    auto type = RankedTensorType::get({ShapedType::kDynamic, width}, builder.getF32Type());
    Value joint = LinearOp::create(builder, builder.getFusedLoc(locs), type, first.getInput(), weight, bias, /*residual=*/Value(),
                                   first.getCompute());
    int64_t offset = 0;
    for (LinearOp linear : linears) {
      Value columns = ColumnsOp::create(builder, linear.getLoc(), linear.getType(), joint, builder.getI64IntegerAttr(offset));
      offset += widthOf(linear.getType());
      linear.replaceAllUsesWith(columns);
    }
    for (LinearOp linear : linears)
      linear.erase();
    weights.append(biases);
    for (Value part : llvm::SetVector<Value>(weights.begin(), weights.end())) // one may be there twice
      eraseUnused(part.getDefiningOp());
  }

  /// The weight that is all of `parts`, one after the other.
  Value join(ArrayRef<Value> parts, SymbolTable &symbols, OpBuilder &builder) {
    auto first = parts.front().getDefiningOp<DequantizeOp>();
    if (!first)
      return joinDeclared(parts, symbols, builder);
    SmallVector<Value> values, scales, zeros;
    for (Value part : parts) {
      auto dequantize = part.getDefiningOp<DequantizeOp>();
      values.push_back(dequantize.getValues());
      scales.push_back(dequantize.getScales());
      if (Value zero = dequantize.getZeros())
        zeros.push_back(zero);
    }
    Value joined = joinDeclared(values, symbols, builder);
    Value scale = joinDeclared(scales, symbols, builder), zero = zeros.empty() ? Value() : joinDeclared(zeros, symbols, builder);
    return DequantizeOp::create(builder, joined.getLoc(), dequantizedType(joined.getType()), joined, scale, /*global=*/Value(),
                                zero, first.getFormat());
  }

  /// The same of declared weights; declared where no function has asked for it yet.
  Value joinDeclared(ArrayRef<Value> parts, SymbolTable &symbols, OpBuilder &builder) {
    SmallVector<StringRef> names;
    SmallVector<Attribute> slices;
    int64_t rows = 0;
    for (Value part : parts) {
      auto weight = symbols.lookup<WeightOp>(part.getDefiningOp<GetWeightOp>().getWeight());
      names.push_back(weight.getSymName());
      llvm::append_range(slices, weight.getSlices());
      rows += weight.getType().getDimSize(0);
      replaced.insert(weight);
    }
    SmallVector<int64_t> shape(cast<RankedTensorType>(parts.front().getType()).getShape());
    shape.front() = rows;
    auto type = RankedTensorType::get(shape, getElementTypeOrSelf(parts.front().getType()));
    std::string name = joinNames(names);
    auto joint = symbols.lookup<WeightOp>(name);
    if (!joint || joint.getType() != type || joint.getSlices() != builder.getArrayAttr(slices)) {
      WeightOp last = symbols.lookup<WeightOp>(names.back());
      OpBuilder beside(last->getContext());
      joint =
          WeightOp::create(beside, last.getLoc(), builder.getStringAttr(name), TypeAttr::get(type), builder.getArrayAttr(slices));
      symbols.insert(joint, std::next(last->getIterator()));
    }
    return GetWeightOp::create(builder, joint.getLoc(), type, joint.getSymName());
  }

  llvm::SetVector<WeightOp> replaced; ///< by joint ones, in some place
};
} // namespace
} // namespace moec::passes
