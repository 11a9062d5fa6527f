// moe.weight ops, with the slices of the checkpoint's files that they stand for.
#include "importers/decoder/Weights.h"
#include "importers/Refusal.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;
using moec::importers::safetensors::Tensor;

Weights::Weights(ModuleOp module, safetensors::Checkpoint &checkpoint, const Quantization &quantization)
    : module(module), checkpoint(checkpoint), quantization(quantization), builder(module.getContext()) {}

void Weights::remember(const Twine &text) {
  if (problem.empty())
    problem = text.str();
}

void Weights::expectQuantized() {
  if (!quantization.place.empty() && !readsQuantized)
    remember(quantization.place +
             ": expected quantised tensors, got plain numbers in all that the model reads; remove the key if they are meant");
}

llvm::Error Weights::takeProblem() { return problem.empty() ? llvm::Error::success() : refuse(problem); }

/// Whether we compute with elements of the safetensors type `type`.
static bool isComputedWith(StringRef type) { return type == "BF16" || type == "F16" || type == "F32"; }

const Tensor *Weights::find(StringRef tensor, ArrayRef<int64_t> shape) { return check(checkpoint.take(tensor), tensor, shape); }

const Tensor *Weights::checkShape(const Tensor *stored, StringRef tensor, ArrayRef<int64_t> shape) {
  if (!stored) {
    remember(checkpoint.path() + ": tensor '" + checkpoint.nameInFiles(tensor) + "' is missing: expected " + spelled(shape) +
             " as " + checkpoint.config() + " says");
    return nullptr;
  }
  if (ArrayRef<int64_t>(stored->shape) == shape)
    return stored;
  remember(stored->file + ": tensor '" + stored->name.val() + "': expected shape " + spelled(shape) + " as " + checkpoint.config() +
           " says, got " + spelled(stored->shape));
  return nullptr;
}

const Tensor *Weights::check(const Tensor *stored, StringRef tensor, ArrayRef<int64_t> shape) {
  stored = checkShape(stored, tensor, shape);
  if (!stored || isComputedWith(stored->type))
    return stored;
  remember(stored->file + ": tensor '" + stored->name.val() + "': expected BF16, F16 or F32, got " + stored->type);
  return nullptr;
}

Type Weights::elementType(const Tensor *stored) {
  if (!stored)
    return builder.getF32Type();
  return stored->type == "BF16"  ? Type(builder.getBF16Type())
         : stored->type == "F16" ? Type(builder.getF16Type())
                                 : builder.getF32Type();
}

/// Of an element.
static int64_t bytesOf(Type type) { return type.getIntOrFloatBitWidth() / 8; }

Attribute Weights::slice(const Tensor *stored, int64_t offset, int64_t rows, int64_t times, int64_t every, const Strides &strides) {
  // Stands in for a tensor with a remembered problem.
  static const Tensor none = {llvm::CachedHashStringRef(""), "none", "F32"};
  const Tensor &from = stored ? *stored : none;
  return moe::SliceAttr::get(builder.getContext(), from.name.val(), from.file, from.offset + offset, rows, times, every,
                             strides.row, strides.column, strides.words, strides.words.empty() ? -1 : strides.wordAxis);
}

moe::WeightOp Weights::declare(StringRef symbol, ArrayRef<int64_t> shape, Type element, ArrayRef<Attribute> slices) {
  if (last)
    builder.setInsertionPointAfter(last);
  else
    builder.setInsertionPointToStart(module.getBody());
  auto type = RankedTensorType::get(shape, element);
  auto location = NameLoc::get(builder.getStringAttr(symbol));
  auto weight = moe::WeightOp::create(builder, location, symbol, TypeAttr::get(type), builder.getArrayAttr(slices));
  declared[symbol] = weight;
  return last = weight;
}

moe::WeightOp Weights::declareWhole(StringRef symbol, const StoredPart &part) {
  if (auto found = declared.find(symbol); found != declared.end())
    return found->second;
  return declare(symbol, part.shape, part.element, slice(part.stored, 0, part.shape.front(), 1, 0, part.strides));
}

moe::WeightOp Weights::whole(StringRef tensor, ArrayRef<int64_t> shape) {
  if (auto found = declared.find(tensor); found != declared.end())
    return found->second;
  const Tensor *stored = find(tensor, shape);
  return declareWhole(tensor, {stored, elementType(stored), SmallVector<int64_t, 3>(shape)});
}

moe::WeightOp Weights::integers(StringRef tensor, ArrayRef<int64_t> shape) {
  if (auto found = declared.find(tensor); found != declared.end())
    return found->second;
  const Tensor *stored = checkShape(checkpoint.take(tensor), tensor, shape);
  if (stored && stored->type != "I32" && stored->type != "I64")
    remember(stored->file + ": tensor '" + stored->name.val() + "': expected I32 or I64, got " + stored->type);
  Type element = stored && stored->type == "I64" ? builder.getI64Type() : builder.getI32Type();
  return declareWhole(tensor, {stored, element, SmallVector<int64_t, 3>(shape)});
}

//===- Matrices -------------------------------------------------------------------------------------------------------------===//

QuantizedTensor Weights::findMatrix(StringRef tensor, ArrayRef<int64_t> shape) {
  QuantizedTensor plain;
  plain.values.shape.assign(shape.begin(), shape.end());
  plain.values.element = builder.getF32Type();
  const Tensor *stored = checkpoint.take(tensor);
  if (!isQuantized(checkpoint, tensor, stored)) {
    plain.values.stored = check(stored, tensor, shape);
    plain.values.element = elementType(plain.values.stored);
    return plain;
  }
  readsQuantized = true;
  llvm::Expected<QuantizedTensor> quantized = takeQuantized(checkpoint, quantization, tensor, shape, builder.getContext());
  if (quantized)
    return *quantized;
  remember(llvm::toString(quantized.takeError()));
  return plain;
}

moe::NumberFormatAttr Weights::formatOf(const QuantizedTensor &tensor, int64_t firstRow, int64_t tensorRows) {
  if (!tensor.scales.stored)
    return {};
  return moe::NumberFormatAttr::get(builder.getContext(), tensor.blockRows, tensor.blockColumns, tensor.zeroPoint,
                                    tensor.globalDivides, firstRow, tensorRows);
}

/// Whether a matrix is stored as nothing that computes with it reads it.
static bool isSpelledOut(const QuantizedTensor &found) {
  return found.isScattered || (found.scales.stored && !hasBlocksOfKernels(found));
}

void Weights::forget(moe::WeightOp weight) {
  if (!weight)
    return;
  declared.erase(weight.getSymName());
  if (weight == last)
    last = dyn_cast_or_null<moe::WeightOp>(weight->getPrevNode());
  weight.erase();
}

moe::StoredTensor Weights::groupsIn(ArrayRef<const Tensor *> lists, const StoredPart &like) {
  if (lists.size() == 1)
    return {RankedTensorType::get(like.shape, like.element), builder.getArrayAttr(slice(lists[0], 0, like.shape[0]))};
  SmallVector<int64_t> shape = {int64_t(lists.size()), like.shape[0]};
  return {RankedTensorType::get(shape, like.element), builder.getArrayAttr(slicesOf(lists, like.strides))};
}

Matrix Weights::spelledOut(StringRef symbol, const Matrix &matrix, std::optional<moe::StoredTensor> groups) {
  moe::WeightOp values = matrix.values;
  auto storedIn = [](moe::WeightOp weight) {
    return weight ? std::optional(moe::StoredTensor{cast<RankedTensorType>(weight.getType()), weight.getSlices()}) : std::nullopt;
  };
  std::string name = (symbol + ".f32").str();
  moe::Requantization file{.element = builder.getF32Type(),
                           .values = *storedIn(matrix.values),
                           .scales = storedIn(matrix.scales),
                           .global = storedIn(matrix.global),
                           .zeros = storedIn(matrix.zeros),
                           .format = matrix.format,
                           .groups = groups};
  ArrayRef<int64_t> shape = file.values.type.getShape();
  bool isStack = shape.size() == 3;
  int64_t times = isStack && shape[0] > 1 ? shape[0] : 1;
  auto all = moe::SliceAttr::get(builder.getContext(), symbol, name, 0, isStack ? 1 : shape[0], times,
                                 times > 1 ? shape[1] * file.rowBytes() : 0);
  std::string why = groups ? "columns of its groups lie apart"
                           : llvm::formatv("no kernel reads blocks of {0} columns", matrix.format.getColumns()).str();
  remark::missed(values.getLoc(), remark::RemarkOpts::name("scattered-groups").category("import-model"))
      << llvm::formatv("'{0}' is spelt out in f32, {1} KB instead of {2}, as {3}; --weight-format rounds it", symbol,
                       file.bytes() / 1024, file.values.type.getNumElements() * file.values.type.getElementTypeBitWidth() / 8192,
                       why)
             .str();
  for (moe::WeightOp part : {matrix.zeros, matrix.global, matrix.scales, matrix.values}) // the last first
    forget(part);
  computed.set(name, file.attribute());
  module->setAttr(moe::requantizedAttrName(), computed.getDictionary(builder.getContext()));
  return {declare(symbol, shape, file.element, all)};
}

Matrix Weights::withScales(moe::WeightOp values, StringRef tensor, const QuantizedTensor &found, int64_t firstRow,
                           int64_t tensorRows) {
  Matrix matrix{values};
  matrix.format = formatOf(found, firstRow, tensorRows);
  if (found.scales.stored)
    matrix.scales = declareWhole(scalesName(tensor, found.scales), found.scales);
  if (found.global.stored) {
    std::string name = scalesName(tensor, found.global);
    ArrayRef<int64_t> shape = cast<RankedTensorType>(values.getType()).getShape();
    bool isStack = shape.size() == 3; // each part has the one number of all
    auto before = declared.find(name);
    matrix.global = before != declared.end() ? before->second
                    : isStack
                        ? declareStack(name, SmallVector<const Tensor *>(size_t(shape[0]), found.global.stored), found.global, {})
                        : declareWhole(name, found.global);
  }
  if (found.zeros.stored)
    matrix.zeros = declareWhole(scalesName(tensor, found.zeros), found.zeros);
  if (!isSpelledOut(found))
    return matrix;
  return spelledOut(std::string(values.getSymName()), matrix,
                    found.isScattered ? std::optional(groupsIn(found.groups.stored, found.groups)) : std::nullopt);
}

Matrix Weights::matrix(StringRef tensor, ArrayRef<int64_t> shape) {
  QuantizedTensor found = findMatrix(tensor, shape);
  if (auto before = declared.find(tensor); isSpelledOut(found) && before != declared.end())
    return {before->second};
  return withScales(declareWhole(tensor, found.values), tensor, found);
}

/// How many of the parts at the front lie evenly in one file: each as far behind the one before as the second behind the first.
static size_t runLength(ArrayRef<const Tensor *> parts) {
  auto follows = [&](size_t index, int64_t distance) {
    const Tensor *before = parts[index - 1], *stored = parts[index];
    return stored && stored->file == before->file && stored->offset - before->offset == distance;
  };
  if (parts.size() < 2 || !parts[0] || !parts[1])
    return 1;
  int64_t distance = parts[1]->offset - parts[0]->offset;
  size_t length = 1;
  while (distance > 0 && length < parts.size() && follows(length, distance))
    ++length;
  return length;
}

SmallVector<Attribute> Weights::slicesOf(ArrayRef<const Tensor *> parts, const Strides &strides) {
  SmallVector<Attribute> slices;
  for (ArrayRef<const Tensor *> rest = parts; !rest.empty();) {
    size_t length = runLength(rest);
    int64_t every = length > 1 ? rest[1]->offset - rest[0]->offset : 0;
    slices.push_back(slice(rest.front(), 0, 1, static_cast<int64_t>(length), every, strides));
    rest = rest.drop_front(length);
  }
  return slices;
}

moe::WeightOp Weights::declareStack(StringRef symbol, ArrayRef<const Tensor *> parts, const StoredPart &like,
                                    ArrayRef<int64_t> shape) {
  SmallVector<int64_t> all = {static_cast<int64_t>(parts.size())};
  all.append(shape.begin(), shape.end());
  return declare(symbol, all, like.element, slicesOf(parts, like.strides));
}

Matrix Weights::stacked(StringRef symbol, int64_t count, llvm::function_ref<StringRef(int64_t)> tensor, ArrayRef<int64_t> shape) {
  const QuantizedTensor first = findMatrix(tensor(0), shape);
  const moe::NumberFormatAttr format = formatOf(first, 0, 0);
  // Of tens of thousands, only where they are: they are to be like the first.
  SmallVector<const Tensor *> values = {first.values.stored}, scales = {first.scales.stored}, globals = {first.global.stored},
                              zeros = {first.zeros.stored}, groups = {first.groups.stored};
  bool isScattered = first.isScattered;
  for (int64_t index = 1; index < count; ++index) {
    QuantizedTensor found = findMatrix(tensor(index), shape);
    const Tensor *stored = values.emplace_back(found.values.stored);
    scales.push_back(found.scales.stored);
    globals.push_back(found.global.stored);
    zeros.push_back(found.zeros.stored);
    groups.push_back(found.groups.stored);
    isScattered |= found.isScattered;
    if (!values.front() || !stored)
      continue;
    if (stored->type != values.front()->type)
      remember(stored->file + ": tensor '" + stored->name.val() + "': expected " + values.front()->type + " as '" +
               values.front()->name.val() + "', got " + stored->type);
    else if (formatOf(found, 0, 0) != format || found.scales.element != first.scales.element)
      remember(stored->file + ": tensor '" + stored->name.val() + "': expected scales like those of '" +
               values.front()->name.val() + "'");
  }
  Matrix result{declareStack(symbol, values, first.values, shape)};
  result.format = format;
  auto declareScales = [&](ArrayRef<const Tensor *> parts, const StoredPart &first, ArrayRef<int64_t> shape) {
    return declareStack(scalesName(symbol, first), parts, first, shape);
  };
  if (scales.front())
    result.scales = declareScales(scales, first.scales, first.scales.shape);
  if (globals.front())
    result.global = declareScales(globals, first.global, {});
  if (zeros.front())
    result.zeros = declareScales(zeros, first.zeros, first.zeros.shape);
  if (!isScattered)
    return isSpelledOut(first) ? spelledOut(symbol, result, std::nullopt) : result;
  for (auto [list, stored] : llvm::zip_equal(groups, values))
    if (!list) {
      remember(stored
                   ? stored->file + ": tensor '" + stored->name.val() + "': expected the groups of its columns, as others list them"
                   : Twine("no such tensor"));
      return result;
    }
  return spelledOut(symbol, result, groupsIn(groups, first.groups));
}

Matrix Weights::cut(StringRef symbol, StringRef tensor, ArrayRef<int64_t> shape, int64_t parts, int64_t partRows, int64_t from,
                    int64_t rows) {
  QuantizedTensor found = findMatrix(tensor, shape);
  const Strides &strides = found.values.strides;
  int64_t together = strides.words.empty() || strides.wordAxis ? 1 : int64_t(strides.words.size()); // rows to a word
  if (from % together || (parts > 1 && partRows % together))
    remember(found.values.stored->file + ": tensor '" + found.values.stored->name.val() + "': expected parts of " +
             Twine(together) + " rows each, which share words, got " + Twine(from) + " rows of " + Twine(partRows));
  int64_t bits = strides.words.empty() ? found.values.element.getIntOrFloatBitWidth() : 32 / int64_t(strides.words.size());
  int64_t apart = strides.row ? strides.row : shape.back();
  auto bytesOf = [&](int64_t rows) { return rows / together * apart * bits / 8; };
  moe::WeightOp values = declare(symbol, {parts, rows, shape.back()}, found.values.element,
                                 slice(found.values.stored, bytesOf(from), 1, parts, parts > 1 ? bytesOf(partRows) : 0, strides));
  return withScales(values, tensor, found, from, partRows);
}

Matrix Weights::ofHeads(StringRef symbol, StringRef tensor, int64_t heads, int64_t headRows, int64_t from, int64_t rows,
                        int64_t columns) {
  return cut(symbol, tensor, {heads * headRows, columns}, heads, headRows, from, rows);
}

moe::WeightOp Weights::declareRows(StringRef symbol, const StoredPart &part, Range rows) {
  int64_t experts = part.shape[0], columns = part.shape[2], bits = part.element.getIntOrFloatBitWidth();
  int64_t rowBytes = columns * bits / 8;
  return declare(symbol, {experts, rows.count, columns}, part.element,
                 slice(part.stored, rows.from * rowBytes, 1, experts, experts > 1 ? part.shape[1] * rowBytes : 0,
                       {.row = rows.step * columns, .column = 1}));
}

Matrix Weights::inTurns(StringRef symbol, StringRef tensor, ArrayRef<int64_t> shape, Range rows) {
  QuantizedTensor found = findMatrix(tensor, shape);
  Matrix matrix{declareRows(symbol, found.values, rows)};
  if (!found.scales.stored)
    return matrix;
  if (found.blockRows != 1 || found.global.stored)
    remember(found.scales.stored->file + ": tensor '" + found.scales.stored->name.val() +
             "': expected scales of single rows, as rows of gate and up are in turns");
  else
    matrix.scales = declareRows(scalesName(symbol, found.scales), found.scales, rows);
  matrix.format = formatOf(found, 0, 0);
  return matrix;
}

Matrix Weights::ofExperts(StringRef symbol, StringRef tensor, ArrayRef<int64_t> shape, bool transposed, Range rows) {
  int64_t experts = shape[0], all = shape[1], columns = shape[2];
  // Numbers that have a name of their own lie as products read them.
  bool isPlain = checkpoint.has(tensor) || !isQuantized(checkpoint, tensor, nullptr);
  if (!isPlain || !transposed) // elements of a row follow each other
    return rows.step == 1 ? cut(symbol, tensor, shape, experts, all, rows.from, rows.count) : inTurns(symbol, tensor, shape, rows);
  const Tensor *stored = find(tensor, {experts, columns, all});
  int64_t bytes = bytesOf(elementType(stored));
  return {declare(
      symbol, {experts, rows.count, columns}, elementType(stored),
      slice(stored, rows.from * bytes, 1, experts, experts > 1 ? all * columns * bytes : 0, {.row = rows.step, .column = all}))};
}

moe::WeightOp Weights::ofColumns(StringRef symbol, StringRef tensor, ArrayRef<int64_t> shape, Range columns) {
  const Tensor *stored = find(tensor, shape);
  Type element = elementType(stored);
  return declare(symbol, {shape[0], columns.count}, element,
                 slice(stored, columns.from * bytesOf(element), shape[0], 1, 0, {.row = shape[1], .column = columns.step}));
}
