// Large tensors become moe.weight ops in the order of their first use; small ones are constants.
#include "importers/onnx/WeightTable.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::onnx;

/// Tensors of at most so many bytes are constants.
static constexpr uint64_t constantBytes = 1024;

StringRef WeightTable::bytesOf(const StoredTensor &tensor) {
  if (tensor.data.data() || tensor.bytes == 0)
    return tensor.data;
  auto [known, isNew] = read.try_emplace(&tensor);
  if (!isNew)
    return known->second;
  known->second.resize(tensor.bytes);
  llvm::Error error = [&]() -> llvm::Error {
    llvm::Expected<ModelFolder> folder = ModelFolder::at(model.folder);
    if (!folder)
      return folder.takeError();
    llvm::Expected<File> file = folder->open(tensor.file);
    return file ? file->read(tensor.offset, {known->second.data(), known->second.size()}) : file.takeError();
  }();
  if (error)
    problem = llvm::toString(std::move(error));
  return known->second;
}

/// Element `index` as its bits.
static llvm::APInt bitsAt(StringRef bytes, const StoredTensor &tensor, int64_t index) {
  unsigned bits = bitsOf(tensor.type);
  if (bits < 8) {
    uint64_t bit = uint64_t(index) * bits;
    return llvm::APInt(bits, (static_cast<unsigned char>(bytes[bit / 8]) >> (bit % 8)) & ((1u << bits) - 1));
  }
  uint64_t value = 0;
  for (unsigned byte = 0; byte < bits / 8; ++byte)
    value |= uint64_t(static_cast<unsigned char>(bytes[index * (bits / 8) + byte])) << (8 * byte);
  return llvm::APInt(bits, value);
}

DenseElementsAttr WeightTable::constant(const StoredTensor &tensor) {
  DenseElementsAttr &made = constants[&tensor];
  if (made)
    return made;
  Type element = onnx::typeOf(tensor.type, builder.getContext());
  auto type = RankedTensorType::get(tensor.dims, element);
  StringRef bytes = bytesOf(tensor);
  if (tensor.elements == 0)
    return made = DenseElementsAttr::get(type, ArrayRef<mlir::Attribute>());
  if (bitsOf(tensor.type) >= 8 && tensor.type != DataType::Bool)
    return made = DenseElementsAttr::getFromRawBuffer(type, ArrayRef<char>(bytes.data(), bytes.size()));
  SmallVector<llvm::APInt> integers;
  SmallVector<llvm::APFloat> floats;
  for (int64_t index = 0; index < tensor.elements; ++index) {
    llvm::APInt bits = bitsAt(bytes, tensor, index);
    if (tensor.type == DataType::Bool)
      integers.push_back(llvm::APInt(1, !bits.isZero()));
    else if (auto floatType = dyn_cast<FloatType>(element))
      floats.push_back(llvm::APFloat(floatType.getFloatSemantics(), bits));
    else
      integers.push_back(bits);
  }
  return made = floats.empty() ? DenseElementsAttr::get(type, integers) : DenseElementsAttr::get(type, floats);
}

/// The same numbers as f32.
static DenseElementsAttr widened(DenseElementsAttr halves) {
  auto type = cast<RankedTensorType>(halves.getType()).clone(Float32Type::get(halves.getContext()));
  SmallVector<float> floats;
  for (llvm::APFloat half : halves.getValues<llvm::APFloat>()) {
    bool losesInfo;
    half.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
    floats.push_back(half.convertToFloat());
  }
  return DenseElementsAttr::get(type, ArrayRef(floats));
}

Value WeightTable::get(ImplicitLocOpBuilder &b, const StoredTensor &tensor) {
  bool isWidened = seenAs(tensor.type) != tensor.type;
  Type element = isWidened ? onnx::typeOf(tensor.type, builder.getContext()) : Type();
  if (tensor.bytes <= constantBytes) {
    auto made = arith::ConstantOp::create(b, isWidened ? widened(constant(tensor)) : constant(tensor));
    if (!tensor.file.empty() && !tensor.dims.empty() && tensor.elements > 0 && moe::isWeight(made.getType())) {
      made->setAttr("moe.stored", slice(tensor, 0, tensor.dims.front()));
      if (isWidened)
        made->setAttr("moe.stored_as", TypeAttr::get(element));
    }
    return made;
  }
  if (isWidened) {
    auto type = RankedTensorType::get(tensor.dims, builder.getF32Type());
    moe::WeightOp weight = tensor.dims.empty() || tensor.elements == 0
                               ? moe::WeightOp()
                               : declare(tensor, "", type, slice(tensor, 0, tensor.dims.front()));
    if (!weight)
      return arith::ConstantOp::create(b, widened(constant(tensor)));
    weight->setAttr("moe.stored_as", TypeAttr::get(element));
    return moe::GetWeightOp::create(b, type, weight.getSymName());
  }
  if (moe::WeightOp weight = whole(tensor)) {
    Value stored = moe::GetWeightOp::create(b, weight.getType(), weight.getSymName());
    if (tensor.type != DataType::Bool)
      return stored;
    // Stored as bytes.
    auto type = RankedTensorType::get(tensor.dims, b.getI1Type());
    Value zero = arith::ConstantOp::create(b, DenseElementsAttr::get(cast<RankedTensorType>(weight.getType()), llvm::APInt(8, 0)));
    return arith::CmpIOp::create(b, type, arith::CmpIPredicate::ne, stored, zero);
  }
  return arith::ConstantOp::create(b, constant(tensor));
}

moe::WeightOp WeightTable::whole(const StoredTensor &tensor) {
  Type element = tensor.type == DataType::Bool ? Type(builder.getI8Type()) : onnx::typeOf(tensor.type, builder.getContext());
  if (tensor.dims.empty() || tensor.elements == 0)
    return {};
  return declare(tensor, "", RankedTensorType::get(tensor.dims, element), slice(tensor, 0, tensor.dims.front()));
}

moe::WeightOp WeightTable::declare(const StoredTensor &tensor, StringRef key, RankedTensorType type,
                                   ArrayRef<mlir::Attribute> slices) {
  if (tensor.file.empty() || !moe::isWeight(type))
    return {};
  // Several tensors of a file may have one name, in different graphs, and one tensor may be read as several types.
  std::string identity = (Twine(reinterpret_cast<uintptr_t>(&tensor)) + " " +
                          Twine(reinterpret_cast<uintptr_t>(type.getAsOpaquePointer())) + " " + key)
                             .str();
  moe::WeightOp &weight = declared[identity];
  if (weight)
    return weight;
  std::string symbol = (tensor.name.empty() ? StringRef("constant") : tensor.name).str() + key.str();
  if (unsigned before = symbols[symbol]++)
    symbol += "#" + std::to_string(before);
  if (last)
    builder.setInsertionPointAfter(last);
  else
    builder.setInsertionPointToStart(module.getBody());
  auto location = NameLoc::get(builder.getStringAttr(symbol));
  return weight = last = moe::WeightOp::create(builder, location, symbol, TypeAttr::get(type), builder.getArrayAttr(slices));
}

mlir::Attribute WeightTable::slice(const StoredTensor &tensor, int64_t offset, int64_t rows, int64_t times, int64_t every,
                                   int64_t rowStride, int64_t columnStride) {
  return moe::SliceAttr::get(builder.getContext(), tensor.name, tensor.file, static_cast<int64_t>(tensor.offset) + offset, rows,
                             times, every, rowStride, columnStride);
}

std::optional<SmallVector<Extent, 4>> WeightTable::integers(const StoredTensor &tensor) {
  if (tensor.elements > 64 || !(isInteger(tensor.type) || tensor.type == DataType::Bool))
    return std::nullopt;
  StringRef bytes = bytesOf(tensor);
  SmallVector<Extent, 4> elements;
  for (int64_t index = 0; index < tensor.elements; ++index) {
    llvm::APInt bits = bitsAt(bytes, tensor, index);
    elements.push_back(isInteger(tensor.type) && !isUnsigned(tensor.type) ? bits.getSExtValue()
                                                                          : static_cast<int64_t>(bits.getZExtValue()));
  }
  return elements;
}

std::optional<SmallVector<double>> WeightTable::numbers(const StoredTensor &tensor, uint64_t most) {
  auto type = dyn_cast_if_present<FloatType>(onnx::typeOf(tensor.type, builder.getContext()));
  if (!type || tensor.bytes > most)
    return std::nullopt;
  StringRef bytes = bytesOf(tensor);
  SmallVector<double> numbers;
  for (int64_t index = 0; index < tensor.elements; ++index)
    numbers.push_back(llvm::APFloat(type.getFloatSemantics(), bitsAt(bytes, tensor, index)).convertToDouble());
  return numbers;
}
