// moe.weight ops, with the slices of the checkpoint's files that they stand for.
#include "importers/decoder/Weights.h"
#include "importers/Refusal.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;
using moec::importers::safetensors::StoredTensor;

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

const StoredTensor *Weights::find(StringRef tensor, ArrayRef<int64_t> shape) {
  const StoredTensor *stored = checkpoint.take(tensor);
  if (!stored) {
    remember(checkpoint.path() + ": tensor '" + checkpoint.nameInFiles(tensor) + "' is missing: expected " + spelled(shape) +
             " as " + checkpoint.config() + " says");
    return nullptr;
  }
  if (ArrayRef<int64_t>(stored->tensor->shape) != shape)
    remember(stored->file + ": tensor '" + stored->tensor->name + "': expected shape " + spelled(shape) + " as " +
             checkpoint.config() + " says, got " + spelled(stored->tensor->shape));
  else if (!elementType(stored))
    remember(stored->file + ": tensor '" + tensor + "': expected BF16, F16 or F32, got " + stored->tensor->type +
             "; quantised checkpoints are not supported yet");
  else
    return stored;
  return nullptr;
}

Type Weights::elementType(const StoredTensor *stored) {
  if (!stored)
    return builder.getF32Type();
  return llvm::StringSwitch<Type>(stored->tensor->type)
      .Case("BF16", builder.getBF16Type())
      .Case("F16", builder.getF16Type())
      .Case("F32", builder.getF32Type())
      .Default({});
}

Attribute Weights::slice(const StoredTensor *stored, int64_t offset, int64_t rows, int64_t times, int64_t every) {
  // Stands in for a tensor with a remembered problem.
  static const safetensors::Tensor nothing = {"", "F32", {}, 0, 0};
  static const StoredTensor none = {&nothing, "none"};
  const StoredTensor &from = stored ? *stored : none;
  return moe::SliceAttr::get(builder.getContext(), from.tensor->name, from.file, from.tensor->offset + offset, rows, times, every);
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
  const StoredTensor *stored = find(tensor, shape);
  return declare(tensor, shape, elementType(stored), slice(stored, 0, shape.front()));
}

/// How many of the tensors at the front lie evenly in one file: each as far behind the one before as the second behind the first.
static size_t runLength(ArrayRef<const StoredTensor *> tensors) {
  auto follows = [&](size_t index, int64_t distance) {
    const StoredTensor *before = tensors[index - 1], *stored = tensors[index];
    return stored && stored->file == before->file && stored->tensor->offset - before->tensor->offset == distance;
  };
  if (tensors.size() < 2 || !tensors[0] || !tensors[1])
    return 1;
  int64_t distance = tensors[1]->tensor->offset - tensors[0]->tensor->offset;
  size_t length = 1;
  while (distance > 0 && length < tensors.size() && follows(length, distance))
    ++length;
  return length;
}

moe::WeightOp Weights::stacked(StringRef symbol, ArrayRef<std::string> tensors, ArrayRef<int64_t> shape) {
  SmallVector<const StoredTensor *> stored;
  for (const std::string &tensor : tensors) {
    const StoredTensor *found = find(tensor, shape), *first = stored.empty() ? found : stored.front();
    if (first && found && found->tensor->type != first->tensor->type)
      remember(found->file + ": tensor '" + tensor + "': expected " + first->tensor->type + " as '" + tensors.front() + "', got " +
               found->tensor->type);
    stored.push_back(found);
  }
  SmallVector<Attribute> slices;
  for (ArrayRef<const StoredTensor *> rest = stored; !rest.empty();) {
    size_t length = runLength(rest);
    int64_t every = length > 1 ? rest[1]->tensor->offset - rest[0]->tensor->offset : 0;
    slices.push_back(slice(rest.front(), 0, 1, static_cast<int64_t>(length), every));
    rest = rest.drop_front(length);
  }
  SmallVector<int64_t> all = {static_cast<int64_t>(tensors.size())};
  all.append(shape.begin(), shape.end());
  return declare(symbol, all, elementType(stored.front()), slices);
}

moe::WeightOp Weights::cut(StringRef symbol, StringRef tensor, ArrayRef<int64_t> shape, int64_t parts, int64_t partRows,
                           int64_t from, int64_t rows) {
  const StoredTensor *stored = find(tensor, shape);
  Type element = elementType(stored);
  int64_t rowBytes = shape.back() * element.getIntOrFloatBitWidth() / 8;
  int64_t every = parts > 1 ? partRows * rowBytes : 0;
  return declare(symbol, {parts, rows, shape.back()}, element, slice(stored, from * rowBytes, 1, parts, every));
}

moe::WeightOp Weights::ofHeads(StringRef symbol, StringRef tensor, int64_t heads, int64_t headRows, int64_t from, int64_t rows,
                               int64_t columns) {
  return cut(symbol, tensor, {heads * headRows, columns}, heads, headRows, from, rows);
}

moe::WeightOp Weights::ofExperts(StringRef symbol, StringRef tensor, ArrayRef<int64_t> shape, int64_t from, int64_t rows) {
  return cut(symbol, tensor, shape, shape[0], shape[1], from, rows);
}
