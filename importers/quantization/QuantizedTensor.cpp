// The layouts in which quantised matrices are released, and what shapes say about their scales.
#include "importers/quantization/QuantizedTensor.h"
#include "importers/Refusal.h"
#include "importers/quantization/PackedWords.h"
#include "importers/quantization/Scales.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace moec::importers;
using llvm::ArrayRef;
using llvm::StringRef;
using llvm::Twine;
using moec::importers::safetensors::Checkpoint;
using moec::importers::safetensors::Tensor;

namespace {

/// The numbers that a tensor's bytes are.
enum class Number { E4M3, E2M1, Unsigned4 };

/// How one kind of release spells a quantised matrix: what follows the matrix's name, or its name without ".weight".
struct Layout {
  StringRef values, type;
  Number number;
  StringRef scales;
  /// Types that its scales have.
  ArrayRef<StringRef> scaleTypes;
  /// What scales all of it once more; empty when nothing does.
  StringRef global = {};
  bool globalDivides = false;
  int64_t zeroPoint = 0;
  /// Neighbours in a row that share a scale by the format's own definition; 0 where config and shapes say it.
  int64_t group = 0;
  /// The bytes of such neighbours are a dimension of their own.
  bool splitsRows = false;
  /// `.weight_shape` says its sizes, `.weight_g_idx` may say which columns are a group.
  bool isDescribed = false;
};

constexpr StringRef scalesOfE4M3[] = {"F32", "BF16", "F16", "F8_E8M0"}, e4m3[] = {"F8_E4M3"}, powersOfTwo[] = {"F8_E8M0", "U8"};

constexpr Layout layouts[] = {
    // DeepSeek's and others' FP8; "inv" is historical, they multiply.
    {".weight", "F8_E4M3", Number::E4M3, ".weight_scale_inv", scalesOfE4M3},
    // compressed-tensors' FP8.
    {".weight", "F8_E4M3", Number::E4M3, ".weight_scale", scalesOfE4M3},
    // DeepSeek's later FP8.
    {".weight", "F8_E4M3", Number::E4M3, ".scale", scalesOfE4M3},
    // Mistral's own FP8.
    {".weight", "F8_E4M3", Number::E4M3, ".qscale_weight", scalesOfE4M3},
    // All experts in one tensor, whose name does not end in ".weight".
    {"", "F8_E4M3", Number::E4M3, "_scale_inv", scalesOfE4M3},
    // compressed-tensors' INT4, each number plus 8.
    {.values = ".weight_packed",
     .type = "I32",
     .number = Number::Unsigned4,
     .scales = ".weight_scale",
     .scaleTypes = plainFloats,
     .zeroPoint = 8,
     .isDescribed = true},
    // NVFP4 as ModelOpt and as compressed-tensors spell it.
    {".weight", "U8", Number::E2M1, ".weight_scale", e4m3, ".weight_scale_2"},
    {".weight_packed", "U8", Number::E2M1, ".weight_scale", e4m3, ".weight_global_scale", /*globalDivides=*/true},
    // MXFP4 as DeepSeek spells it, and all experts in one tensor.
    {.values = ".weight", .type = "I8", .number = Number::E2M1, .scales = ".scale", .scaleTypes = powersOfTwo, .group = 32},
    {.values = "_blocks",
     .type = "U8",
     .number = Number::E2M1,
     .scales = "_scales",
     .scaleTypes = powersOfTwo,
     .group = 32,
     .splitsRows = true},
};

/// What lies beside a quantised matrix and does not concern its numbers.
constexpr StringRef companions[] = {".activation_scale", ".input_scale", ".input_global_scale", ".qscale_act", "_activation_scale"};

} // namespace

static StringRef stemOf(StringRef tensor) {
  tensor.consume_back(".weight");
  return tensor;
}

std::string moec::importers::scalesName(StringRef matrix, const StoredPart &scales) {
  return (stemOf(matrix) + scales.suffix).str();
}

/// The name of the numbers of `tensor` in `layout`; nothing where that spells other names.
static std::optional<std::string> valuesName(const Layout &layout, StringRef tensor) {
  StringRef stem = stemOf(tensor);
  bool hasSuffix = stem.size() < tensor.size();
  return hasSuffix == layout.values.starts_with(".") ? std::optional((stem + layout.values).str()) : std::nullopt;
}

bool moec::importers::hasBlocksOfKernels(const QuantizedTensor &tensor) {
  int64_t columns = tensor.blockColumns;
  if (columns >= tensor.values.shape.back()) // a row's only one
    return true;
  constexpr int64_t fewestOfLane = 8, fewestOfVector = 32;
  bool arePacked = tensor.values.element.getIntOrFloatBitWidth() == 4;
  return arePacked ? columns >= fewestOfLane && llvm::isPowerOf2_64(uint64_t(columns)) : columns % fewestOfVector == 0;
}

bool moec::importers::isQuantized(const Checkpoint &checkpoint, StringRef tensor, const Tensor *stored) {
  if (!stored && isInWords(checkpoint, tensor))
    return true;
  return llvm::any_of(layouts, [&](const Layout &layout) {
    if (stored)
      return layout.type == stored->type;
    std::optional<std::string> values = valuesName(layout, tensor);
    return values && checkpoint.has(*values);
  });
}

int64_t moec::importers::parametersIn(const Tensor &stored, const Quantization &quantization) {
  StringRef name = stored.name.val();
  auto ends = [&](StringRef suffix) { return !suffix.empty() && name.ends_with(suffix); };
  bool isBeside = llvm::any_of(layouts, [&](const Layout &layout) { return ends(layout.scales) || ends(layout.global); }) ||
                  llvm::any_of(companions, ends) || ends(".weight_shape") || ends(".weight_g_idx") || isBesideWords(name);
  if (isBeside)
    return 0;
  int64_t elements = 1;
  for (int64_t size : stored.shape)
    elements *= size;
  if (ends(".qweight") && quantization.words)
    return elements * (32 / quantization.words->bits);
  if (stored.type == "I32" || stored.type == "I64") // others are tables
    return ends(".weight_packed") ? elements * 8 : 0;
  return stored.type == "U8" || stored.type == "I8" ? elements * 2 : elements;
}

llvm::Error moec::importers::refuseTensor(const Tensor &stored, const Twine &why) {
  return refuse(stored.file + ": tensor '" + stored.name.val() + "': " + why);
}

mlir::Type moec::importers::typeOfScales(StringRef type, mlir::MLIRContext *context) {
  mlir::Builder builder(context);
  return llvm::StringSwitch<mlir::Type>(type)
      .Case("F32", builder.getF32Type())
      .Case("BF16", builder.getBF16Type())
      .Case("F16", builder.getF16Type())
      .Case("F8_E4M3", mlir::Float8E4M3FNType::get(context))
      .Cases({"F8_E8M0", "U8"}, mlir::Float8E8M0FNUType::get(context));
}

static mlir::Type typeOf(Number number, mlir::MLIRContext *context) {
  switch (number) {
  case Number::E4M3:
    return mlir::Float8E4M3FNType::get(context);
  case Number::E2M1:
    return mlir::Float4E2M1FNType::get(context);
  case Number::Unsigned4:
    return mlir::IntegerType::get(context, 4, mlir::IntegerType::Unsigned);
  }
  llvm_unreachable("every number has a type");
}

/// The numbers, whose tensor may hold several in one of its elements.
static llvm::Error takeValues(const Tensor &stored, const Layout &layout, ArrayRef<int64_t> shape, mlir::MLIRContext *context,
                              QuantizedTensor &result) {
  int64_t perElement = layout.number == Number::E4M3 ? 1 : stored.type == "I32" ? 8 : 2;
  int64_t width = shape.back(), inner = layout.splitsRows ? layout.group : width;
  llvm::SmallVector<int64_t> expected(shape.drop_back());
  if (layout.splitsRows)
    expected.push_back(width / inner);
  expected.push_back(inner / perElement);
  std::string split = layout.splitsRows ? ", rows in pieces of " + std::to_string(inner) : "";
  if (width % inner || inner % perElement || ArrayRef<int64_t>(stored.shape) != ArrayRef(expected))
    return refuseTensor(stored, "expected " + spelled(shape) + " numbers as the config says, " + Twine(perElement) +
                                    " to an element" + split + ", got shape " + spelled(stored.shape));
  result.values = {&stored, typeOf(layout.number, context), llvm::SmallVector<int64_t, 3>(shape)};
  return llvm::Error::success();
}

/// Blocks as `scales` has them, by its shape: of all, of rows, or of the size that the config gives.
static bool fitBlocks(ArrayRef<int64_t> scales, const Quantization &quantization, QuantizedTensor &result) {
  ArrayRef<int64_t> shape = result.values.shape, matrix = shape.take_back(2);
  auto grid = [&](int64_t rows, int64_t columns) {
    result.blockRows = rows;
    result.blockColumns = columns;
    llvm::SmallVector<int64_t, 3> dims(shape.drop_back(2));
    dims.append({int64_t(llvm::divideCeil(matrix[0], rows)), int64_t(llvm::divideCeil(matrix[1], columns))});
    return result.scales.shape = dims, ArrayRef(dims) == scales;
  };
  if (quantization.block)
    return grid(quantization.block->rows, quantization.block->columns);
  // One number for a matrix, or for each of a stack; dimensions of 1 may be there or not.
  ArrayRef<int64_t> inner = scales;
  while (!inner.empty() && inner.back() == 1)
    inner = inner.drop_back();
  bool isWhole = inner == shape.drop_back(2);
  return grid(isWhole ? matrix[0] : 1, matrix[1]) || isWhole;
}

bool moec::importers::fitGroups(ArrayRef<int64_t> scales, std::optional<int64_t> group, QuantizedTensor &result) {
  ArrayRef<int64_t> shape = result.values.shape;
  int64_t groups = scales.empty() ? 0 : scales.back();
  if (scales.size() != shape.size() || scales.drop_back() != shape.drop_back() || groups <= 0 || shape.back() % groups)
    return false;
  result.blockColumns = shape.back() / groups;
  result.scales.shape.assign(scales.begin(), scales.end());
  return !group || result.blockColumns == (*group == Quantization::wholeRow ? shape.back() : *group);
}

std::string moec::importers::blocksOf(std::optional<int64_t> group) {
  return !group ? "no given size" : *group == Quantization::wholeRow ? "whole rows" : spelled({1, *group});
}

llvm::Expected<std::vector<int32_t>> moec::importers::readColumnGroups(const Checkpoint &checkpoint, const Tensor &stored,
                                                                       mlir::MLIRContext *context, QuantizedTensor &result) {
  int64_t columns = result.values.shape.back();
  if (stored.type != "I32" || ArrayRef<int64_t>(stored.shape) != ArrayRef(columns))
    return refuseTensor(stored, "expected the group of each column, I32 [" + Twine(columns) + "], got " + stored.type + " " +
                                    spelled(stored.shape));
  llvm::Expected<std::vector<char>> bytes = checkpoint.read(stored);
  if (!bytes)
    return bytes.takeError();
  std::vector<int32_t> groups(static_cast<size_t>(columns));
  for (auto [column, group] : llvm::enumerate(groups)) {
    group = int32_t(llvm::support::endian::read32le(bytes->data() + 4 * column));
    result.isScattered |= group != int64_t(column) / result.blockColumns;
  }
  result.groups = {.stored = &stored, .element = mlir::IntegerType::get(context, 32), .shape = {columns}};
  return groups;
}

llvm::Error moec::importers::refuseGroup(const Tensor &stored, const QuantizedTensor &matrix, int64_t column, int32_t group) {
  return refuseTensor(stored, "expected groups below " + Twine(matrix.scales.shape.back()) + ", got " + Twine(group) +
                                  " for column " + Twine(column));
}

/// The groups of columns, where compressed-tensors lists them. -1 anywhere means that they were never assigned: groups are
/// neighbours, as of an expert that no token reached when others were quantised. Its versions agree on what is meant only where
/// each group has its size in columns.
static llvm::Error takeColumnGroups(Checkpoint &checkpoint, StringRef stem, mlir::MLIRContext *context, QuantizedTensor &result) {
  const Tensor *stored = checkpoint.take((stem + ".weight_g_idx").str());
  if (!stored)
    return llvm::Error::success();
  llvm::Expected<std::vector<int32_t>> groups = readColumnGroups(checkpoint, *stored, context, result);
  if (!groups)
    return groups.takeError();
  std::vector<int64_t> columns(static_cast<size_t>(result.scales.shape.back()));
  for (auto [column, group] : llvm::enumerate(*groups)) {
    if (group < -1 || group >= int64_t(columns.size()))
      return refuseGroup(*stored, result, int64_t(column), group);
    if (group >= 0)
      ++columns[size_t(group)];
  }
  if (llvm::is_contained(*groups, -1)) {
    result.isScattered = false;
    return llvm::Error::success();
  }
  for (auto [group, count] : llvm::enumerate(columns))
    if (count != result.blockColumns)
      return refuseTensor(*stored, "expected " + Twine(result.blockColumns) + " columns of each group, got " + Twine(count) +
                                       " of group " + Twine(group));
  return llvm::Error::success();
}

static llvm::Error takeScales(const Tensor &stored, const Layout &layout, const Quantization &quantization,
                              mlir::MLIRContext *context, QuantizedTensor &result) {
  StringRef type = stored.type;
  if (!llvm::is_contained(layout.scaleTypes, type))
    return refuseTensor(stored, "expected scales of " + llvm::join(layout.scaleTypes, " or ") + ", got " + type);
  ArrayRef<int64_t> shape = stored.shape;
  bool isBlocked = layout.number == Number::E4M3;
  std::optional<int64_t> group = layout.group ? layout.group : quantization.group;
  if (isBlocked ? !fitBlocks(shape, quantization, result) : !fitGroups(shape, group, result)) {
    std::string blocks = isBlocked && quantization.block ? spelled({quantization.block->rows, quantization.block->columns})
                                                         : blocksOf(isBlocked ? std::nullopt : group);
    return refuseTensor(stored, "expected a scale for each block of " + spelled(result.values.shape) + ", blocks being of " +
                                    blocks + (layout.group ? "" : " as the config says") + ", got shape " + spelled(shape));
  }
  result.scales.stored = &stored;
  result.scales.element = typeOfScales(type, context);
  result.scales.suffix = layout.scales;
  return llvm::Error::success();
}

static llvm::Error takeGlobal(Checkpoint &checkpoint, StringRef stem, const Layout &layout, mlir::MLIRContext *context,
                              QuantizedTensor &result) {
  std::string name = (stem + layout.global).str();
  const Tensor *stored = checkpoint.take(name);
  if (!stored)
    return refuse(checkpoint.path() + ": tensor '" + name + "' is missing: expected what scales all of '" +
                  result.values.stored->name.val() + "'");
  if (stored->type != "F32" || stored->bytes != 4)
    return refuseTensor(*stored, "expected one F32, got " + stored->type + " " + spelled(stored->shape));
  result.global = {.stored = stored, .element = typeOfScales("F32", context), .shape = {1}, .suffix = layout.global};
  result.globalDivides = layout.globalDivides;
  return llvm::Error::success();
}

/// What lies beside the matrix `of` is one number for its activations, or one for each of a stack.
static llvm::Error checkCompanion(const Tensor &stored, const QuantizedTensor &of) {
  ArrayRef<int64_t> shape = of.values.shape;
  auto product = [](ArrayRef<int64_t> sizes) { return std::accumulate(sizes.begin(), sizes.end(), int64_t(1), std::multiplies()); };
  bool fits = llvm::is_contained({int64_t(1), product(shape.drop_back(2))}, product(stored.shape));
  if (fits && llvm::is_contained(plainFloats, stored.type))
    return llvm::Error::success();
  return refuseTensor(stored, "expected one number of the activations, " + llvm::join(ArrayRef(plainFloats), " or ") + ", got " +
                                  stored.type + " " + spelled(stored.shape));
}

/// The sizes of a matrix, which packed rows do not tell to the last number.
static llvm::Error takeSizes(Checkpoint &checkpoint, StringRef stem, bool isOptional, const QuantizedTensor &of) {
  ArrayRef<int64_t> shape = of.values.shape;
  std::string name = (stem + ".weight_shape").str();
  const Tensor *stored = checkpoint.take(name);
  if (!stored && isOptional)
    return llvm::Error::success();
  if (!stored)
    return refuseTensor(*of.values.stored, "expected its sizes in '" + checkpoint.nameInFiles(name) + "', got none");
  if (ArrayRef<int64_t>(stored->shape) != ArrayRef(int64_t(shape.size())) || (stored->type != "I64" && stored->type != "I32"))
    return refuseTensor(*stored, "expected " + Twine(shape.size()) + " sizes, I64 or I32, got " + stored->type + " " +
                                     spelled(stored->shape));
  llvm::Expected<std::vector<char>> bytes = checkpoint.read(*stored);
  if (!bytes)
    return bytes.takeError();
  llvm::SmallVector<int64_t, 3> sizes;
  for (size_t i = 0, width = bytes->size() / shape.size(); i < shape.size(); ++i)
    sizes.push_back(width == 4 ? int32_t(llvm::support::endian::read32le(bytes->data() + i * width))
                               : int64_t(llvm::support::endian::read64le(bytes->data() + i * width)));
  if (ArrayRef<int64_t>(sizes) == shape)
    return llvm::Error::success();
  return refuseTensor(*stored, "expected the sizes " + spelled(shape) + ", got " + spelled(sizes));
}

llvm::Expected<QuantizedTensor> moec::importers::takeQuantized(Checkpoint &checkpoint, const Quantization &quantization,
                                                               StringRef tensor, ArrayRef<int64_t> shape,
                                                               mlir::MLIRContext *context) {
  if (isInWords(checkpoint, tensor))
    return takeWords(checkpoint, quantization, tensor, shape, context);
  StringRef stem = stemOf(tensor);
  llvm::SmallVector<StringRef> types; // of numbers by such a name
  std::string expected;               // scales of numbers of such a type
  const Tensor *values = nullptr;
  for (const Layout &layout : layouts) {
    std::optional<std::string> name = valuesName(layout, tensor);
    const Tensor *stored = name ? checkpoint.take(*name) : nullptr;
    if (!stored)
      continue;
    values = stored;
    if (!llvm::is_contained(types, layout.type))
      types.push_back(layout.type);
    if (stored->type != layout.type)
      continue;
    std::string scales = (stem + layout.scales).str();
    expected += (expected.empty() ? "'" : " or '") + checkpoint.nameInFiles(scales) + "'";
    if (!checkpoint.has(scales))
      continue;
    if (quantization.place.empty())
      return refuseTensor(*values, "expected a quantization_config in " + checkpoint.config() + ", as it is " + layout.type);
    QuantizedTensor result;
    result.zeroPoint = layout.zeroPoint;
    llvm::Error error = takeValues(*values, layout, shape, context, result);
    if (!error)
      error = takeScales(*checkpoint.take(scales), layout, quantization, context, result);
    if (!error)
      error = takeSizes(checkpoint, stem, /*isOptional=*/!layout.isDescribed, result);
    if (!error && layout.isDescribed)
      error = takeColumnGroups(checkpoint, stem, context, result);
    if (!error && !layout.global.empty())
      error = takeGlobal(checkpoint, stem, layout, context, result);
    if (error)
      return std::move(error);
    for (StringRef companion : companions)
      if (const Tensor *beside = checkpoint.take((stem + companion).str()))
        if (llvm::Error error = checkCompanion(*beside, result))
          return std::move(error);
    return result;
  }
  if (expected.empty())
    return refuseTensor(*values, "expected numbers of type " + llvm::join(types, " or ") + ", got " + values->type);
  return refuseTensor(*values, "expected its scales in " + expected + ", got none");
}
