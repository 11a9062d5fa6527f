// moe.weight ops, with the slices of the checkpoint's files that they stand for.
#include "importers/decoder/Weights.h"
#include "importers/Refusal.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;
using moec::importers::safetensors::Tensor;

Weights::Weights(ModuleOp module, safetensors::Checkpoint &checkpoint)
    : module(module), checkpoint(checkpoint), builder(module.getContext()) {}

static std::string spelled(ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (int64_t dim : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(dim);
  return text + "]";
}

void Weights::remember(const Twine &text) {
  if (problem.empty())
    problem = text.str();
}

llvm::Error Weights::takeProblem() { return problem.empty() ? llvm::Error::success() : refuse(problem); }

/// Whether we compute with elements of the safetensors type `type`.
static bool isComputedWith(StringRef type) { return type == "BF16" || type == "F16" || type == "F32"; }

const Tensor *Weights::find(StringRef tensor, ArrayRef<int64_t> shape) {
  const Tensor *stored = checkpoint.take(tensor);
  if (!stored) {
    remember(checkpoint.path() + ": tensor '" + checkpoint.nameInFiles(tensor) + "' is missing: expected " + spelled(shape) +
             " as " + checkpoint.config() + " says");
    return nullptr;
  }
  if (ArrayRef<int64_t>(stored->shape) != shape)
    remember(stored->file + ": tensor '" + stored->name.val() + "': expected shape " + spelled(shape) + " as " +
             checkpoint.config() + " says, got " + spelled(stored->shape));
  else if (!isComputedWith(stored->type))
    remember(stored->file + ": tensor '" + stored->name.val() + "': expected BF16, F16 or F32, got " + stored->type +
             "; quantised checkpoints are not supported yet");
  else
    return stored;
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

Attribute Weights::slice(const Tensor *stored, int64_t offset, int64_t rows, int64_t times, int64_t every, int64_t rowStride,
                         int64_t columnStride) {
  // Stands in for a tensor with a remembered problem.
  static const Tensor none = {llvm::CachedHashStringRef(""), "none", "F32"};
  const Tensor &from = stored ? *stored : none;
  return moe::SliceAttr::get(builder.getContext(), from.name.val(), from.file, from.offset + offset, rows, times, every, rowStride,
                             columnStride);
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

moe::WeightOp Weights::whole(StringRef tensor, ArrayRef<int64_t> shape) {
  if (auto found = declared.find(tensor); found != declared.end())
    return found->second;
  const Tensor *stored = find(tensor, shape);
  return declare(tensor, shape, elementType(stored), slice(stored, 0, shape.front()));
}

/// How many of the tensors at the front lie evenly in one file: each as far behind the one before as the second behind the first.
static size_t runLength(ArrayRef<const Tensor *> tensors) {
  auto follows = [&](size_t index, int64_t distance) {
    const Tensor *before = tensors[index - 1], *stored = tensors[index];
    return stored && stored->file == before->file && stored->offset - before->offset == distance;
  };
  if (tensors.size() < 2 || !tensors[0] || !tensors[1])
    return 1;
  int64_t distance = tensors[1]->offset - tensors[0]->offset;
  size_t length = 1;
  while (distance > 0 && length < tensors.size() && follows(length, distance))
    ++length;
  return length;
}

moe::WeightOp Weights::stacked(StringRef symbol, int64_t count, llvm::function_ref<StringRef(int64_t)> tensor,
                               ArrayRef<int64_t> shape) {
  SmallVector<const Tensor *> stored;
  for (int64_t index = 0; index < count; ++index) {
    const Tensor *found = find(tensor(index), shape), *first = stored.empty() ? found : stored.front();
    if (first && found && found->type != first->type)
      remember(found->file + ": tensor '" + found->name.val() + "': expected " + first->type + " as '" + first->name.val() +
               "', got " + found->type);
    stored.push_back(found);
  }
  SmallVector<Attribute> slices;
  for (ArrayRef<const Tensor *> rest = stored; !rest.empty();) {
    size_t length = runLength(rest);
    int64_t every = length > 1 ? rest[1]->offset - rest[0]->offset : 0;
    slices.push_back(slice(rest.front(), 0, 1, static_cast<int64_t>(length), every));
    rest = rest.drop_front(length);
  }
  SmallVector<int64_t> all = {count};
  all.append(shape.begin(), shape.end());
  return declare(symbol, all, elementType(stored.front()), slices);
}

moe::WeightOp Weights::ofHeads(StringRef symbol, StringRef tensor, int64_t heads, int64_t headRows, int64_t from, int64_t rows,
                               int64_t columns) {
  const Tensor *stored = find(tensor, {heads * headRows, columns});
  int64_t rowBytes = columns * bytesOf(elementType(stored)), every = heads > 1 ? headRows * rowBytes : 0;
  return declare(symbol, {heads, rows, columns}, elementType(stored), slice(stored, from * rowBytes, 1, heads, every));
}

moe::WeightOp Weights::ofExperts(StringRef symbol, StringRef tensor, ArrayRef<int64_t> shape, bool transposed, Range rows) {
  int64_t experts = shape[0], all = shape[1], columns = shape[2];
  const Tensor *stored = find(tensor, transposed ? ArrayRef<int64_t>{experts, columns, all} : shape);
  int64_t rowStride = transposed ? rows.step : rows.step * columns, columnStride = transposed ? all : 1;
  int64_t first = transposed ? rows.from : rows.from * columns, bytes = bytesOf(elementType(stored));
  if (!transposed && rows.step == 1)
    rowStride = columnStride = 0; // elements follow each other
  return declare(symbol, {experts, rows.count, columns}, elementType(stored),
                 slice(stored, first * bytes, 1, experts, experts > 1 ? all * columns * bytes : 0, rowStride, columnStride));
}

moe::WeightOp Weights::ofColumns(StringRef symbol, StringRef tensor, ArrayRef<int64_t> shape, Range columns) {
  const Tensor *stored = find(tensor, shape);
  Type element = elementType(stored);
  return declare(symbol, {shape[0], columns.count}, element,
                 slice(stored, columns.from * bytesOf(element), shape[0], 1, 0, shape[1], columns.step));
}
