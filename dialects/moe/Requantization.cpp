// To attributes, and back from those that anybody may have written.
#include "dialects/moe/Requantization.h"

#include "dialects/moe/NumberFormat.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::moe;

StringRef moec::moe::requantizedAttrName() { return "moe.requantized"; }

int64_t Requantization::scalesOffset() const { return int64_t(llvm::alignTo(uint64_t(rows() * rowBytes()), 64)); }

static Attribute attributeOf(Builder &builder, const StoredTensor &tensor) {
  return builder.getDictionaryAttr({builder.getNamedAttr("type", TypeAttr::get(tensor.type)), //
                                    builder.getNamedAttr("slices", tensor.slices)});
}

DictionaryAttr Requantization::attribute() const {
  Builder builder(element.getContext());
  NamedAttrList all;
  all.set("element", TypeAttr::get(element));
  all.set("columns", builder.getI64IntegerAttr(columns));
  all.set("values", attributeOf(builder, values));
  if (scales)
    all.set("scales", attributeOf(builder, *scales));
  if (global)
    all.set("global", attributeOf(builder, *global));
  if (zeros)
    all.set("zeros", attributeOf(builder, *zeros));
  if (groups)
    all.set("groups", attributeOf(builder, *groups));
  if (format)
    all.set("format", format);
  return all.getDictionary(element.getContext());
}

/// A tensor whose slices, of files that are not `computed`, add up to it; nothing if it is not there, or, with `isBroken`, if it is
/// something else.
static std::optional<StoredTensor> storedTensor(DictionaryAttr recipe, StringRef name, DictionaryAttr computed, bool &isBroken) {
  Attribute given = recipe.get(name);
  if (!given)
    return std::nullopt;
  isBroken = true;
  auto entry = dyn_cast<DictionaryAttr>(given);
  auto type = entry ? entry.getAs<TypeAttr>("type") : TypeAttr();
  auto slices = entry ? entry.getAs<ArrayAttr>("slices") : ArrayAttr();
  if (!type || !slices || !isWeight(type.getValue()))
    return std::nullopt;
  auto tensor = cast<RankedTensorType>(type.getValue());
  int64_t rows = 0;
  for (Attribute attribute : slices) {
    auto slice = dyn_cast<SliceAttr>(attribute);
    bool isMatrix = slice && (!slice.isStrided() || tensor.getRank() == 2 || (tensor.getRank() == 3 && slice.getRows() == 1));
    if (!isMatrix || computed.contains(slice.getFile()) || llvm::AddOverflow(rows, slice.getAllRows(), rows))
      return std::nullopt;
  }
  if (rows != tensor.getDimSize(0))
    return std::nullopt;
  isBroken = false;
  return StoredTensor{tensor, slices};
}

/// Whether there is a group for each column, of each entry or of all.
static bool fitsGroups(RankedTensorType groups, RankedTensorType values) {
  ArrayRef<int64_t> shape = groups.getShape(), all = values.getShape();
  bool isOfEach = shape.size() == 2 && all.size() == 3 && shape[0] == all[0];
  return groups.getElementType().isSignlessInteger(32) && shape.back() == all.back() && (shape.size() == 1 || isOfEach);
}

/// Whether scales and format are such as moe.dequantize takes with the values.
static bool fits(const Requantization &file) {
  if (!file.format)
    return !file.scales && !file.global && !file.zeros && !file.groups;
  if (file.groups && !fitsGroups(file.groups->type, file.values.type))
    return false;
  if (!file.scales || file.scales->type.getRank() < 2 || (file.format.getDivides() && !file.global))
    return false;
  auto typeOf = [](const std::optional<StoredTensor> &stored) { return stored ? stored->type : RankedTensorType(); };
  return fitsNumberFormat(file.format, file.values.type, file.scales->type, typeOf(file.global), typeOf(file.zeros));
}

llvm::Expected<std::optional<Requantization>> moec::moe::findRequantization(ModuleOp module, StringRef file) {
  auto all = module->getAttrOfType<DictionaryAttr>(requantizedAttrName());
  Attribute given = all ? all.get(file) : Attribute();
  if (!given)
    return std::nullopt;
  auto refuse = [&](const llvm::Twine &why) {
    return llvm::createStringError("the module's " + requantizedAttrName() + ": '" + file + "': " + why);
  };
  auto recipe = dyn_cast<DictionaryAttr>(given);
  auto element = recipe ? recipe.getAs<TypeAttr>("element") : TypeAttr();
  auto columns = recipe ? recipe.getAs<IntegerAttr>("columns") : IntegerAttr();
  if (!element || !columns)
    return refuse("expected an element type and a number of columns");
  Requantization result{element.getValue(), columns.getValue().getSExtValue(), {}};
  bool isByte = result.element.isSignlessInteger(8);
  bool isBroken = false;
  std::optional<StoredTensor> values = storedTensor(recipe, "values", all, isBroken);
  result.scales = storedTensor(recipe, "scales", all, isBroken);
  result.global = storedTensor(recipe, "global", all, isBroken);
  result.zeros = storedTensor(recipe, "zeros", all, isBroken);
  result.groups = storedTensor(recipe, "groups", all, isBroken);
  result.format = recipe.getAs<NumberFormatAttr>("format");
  if (!values || isBroken)
    return refuse("expected tensors and slices that add up to them");
  result.values = *values;
  bool isInt4 = result.element.isUnsignedInteger(4), isPlain = result.element.isF32() && result.columns == 0;
  if (!isPlain && ((!isByte && !isInt4) || result.columns < 1 || result.columns > result.width()))
    return refuse("expected i8 or ui4, scales of 1 to " + llvm::Twine(result.width()) + " columns, or f32 without scales");
  if (values->type.getRank() < 2 || values->type.getRank() > 3 || (isInt4 && result.width() % 2))
    return refuse("expected matrices with rows of whole bytes");
  if (!fits(result))
    return refuse("expected scales that fit the values");
  return result;
}

llvm::ArrayRef<double> moec::moe::groupsOfEntry(llvm::ArrayRef<double> groups, int64_t entry, int64_t width) {
  if (int64_t(groups.size()) > width)
    groups = groups.slice(size_t(entry * width), size_t(width));
  return llvm::is_contained(groups, -1) ? llvm::ArrayRef<double>() : groups;
}

llvm::Error moec::moe::checkGroups(llvm::ArrayRef<double> groups, int64_t count) {
  for (double group : groups)
    if (group < -1 || group >= double(count))
      return llvm::createStringError("expected groups below " + llvm::Twine(count) + ", got " + llvm::Twine(int64_t(group)));
  return llvm::Error::success();
}
