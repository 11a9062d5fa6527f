// Bit tricks, one for each kind of code: the bits that make it a bf16, and one fused operation on two of them that makes that
// exact.
#include "lowering/nvptx/products/WeightCodes.h"

#include "lowering/nvptx/matrix/MatrixUnits.h"
#include "lowering/nvptx/products/BlockScales.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// A 128 of bf16, whose last place is worth 1: small integers are put there.
static constexpr int64_t bitsOf128 = 0x4300;
/// What is to be added to integers so that any of them is exact in bf16: their sums must not pass 256.
static constexpr int64_t mostExact = 256;

static bool isE4M3(const Storage &storage) { return isa<Float8E4M3FNType>(storage.element); }
static bool isE2M1(const Storage &storage) { return isa<Float4E2M1FNType>(storage.element); }

/// What is added to codes read as unsigned (of four bits) or signed (of eight) integers to make them numbers, but for stored zeros.
static int64_t offsetOf(const Storage &storage) {
  bool isUnsigned = storage.element.isUnsignedInteger();
  if (storage.element.getIntOrFloatBitWidth() == 4)
    return -storage.zeroPoint - (isUnsigned ? 0 : 8);
  return (isUnsigned ? 128 : 0) - storage.zeroPoint;
}

bool WeightCodes::covers(const Storage &storage, int64_t width) {
  int64_t bits = storage.element.getIntOrFloatBitWidth();
  if (width * bits % (8 * chunkBytes) || !BlockScales::covers(storage))
    return false;
  if (storage.element.isInteger())
    return (bits == 4 || bits == 8) && (storage.hasZeros || std::abs(offsetOf(storage)) <= mostExact / 2);
  return storage.element.isBF16() || isE4M3(storage) || isE2M1(storage);
}

WeightCodes::WeightCodes(KernelBuilder &b, const Storage &storage, int64_t width)
    : b(b), storage(storage), width(width), bits(storage.element.getIntOrFloatBitWidth()) {}

int64_t WeightCodes::unitsOfPart() const { return llvm::divideCeil(width, parts * stepColumns()) * unitsOfStep(); }

void WeightCodes::beginCopy(Pointer piece, const WeightRow &row, Number step) const {
  Number lane = b.lane(), chunk = lane % PermutedRows::chunks;
  Number byte = step * PermutedRows::stride + chunk * chunkBytes;
  Number isInside = isRagged() ? byte < width * bits / 8 : b.number(arith::ConstantIntOp::create(b, 1, 1));
  nvptx::beginCopy(b, piece.plusBytes(PermutedRows::place(lane / PermutedRows::chunks, chunk)), row.elements.as(b.i8) + byte,
                   isInside);
}

KernelBuilder::Numbers WeightCodes::load(Pointer piece, Number unit) const {
  Number lane = b.lane(), inRow = lane % PermutedRows::chunks;
  const int64_t bytes = laneColumns * bits / 8, lanesOfChunk = chunkBytes / bytes, words = bytes / 4;
  Number chunk = unit * (PermutedRows::chunks / unitsOfStep()) + inRow / lanesOfChunk;
  Number place = PermutedRows::place(lane / PermutedRows::chunks, chunk) + inRow % lanesOfChunk * bytes;
  Pointer own = piece.plusBytes(place).as(b.i32);
  if (words == 1)
    return {own.load()};
  Number loaded = own.load(words, bytes);
  KernelBuilder::Numbers separate;
  for (int64_t word = 0; word < words; ++word)
    separate.push_back(loaded.lane(word));
  return separate;
}

std::pair<int64_t, int64_t> WeightCodes::columnsOf(int64_t index) const {
  int64_t perWord = 32 / bits, apart = perWord / 2; // the halves of a word
  int64_t first = index / apart * perWord + index % apart;
  return {first, first + apart};
}

KernelBuilder::Numbers WeightCodes::operandsOf(ArrayRef<Number> loaded, std::optional<Number> isInside) const {
  auto element = [&](int64_t column) { return loaded[size_t(column / 4)].lane(column % 4); };
  KernelBuilder::Numbers operands;
  for (int64_t i = 0; i < registers; ++i) {
    auto [low, high] = columnsOf(i);
    Number bits = packBf16(element(low), element(high));
    // No code there matters, but what was loaded instead of activations may be infinite.
    operands.push_back(isInside ? select(*isInside, bits, b.integer32(0)) : bits);
  }
  return operands;
}

/// A number in both halves.
static Number twice(Number half) { return half * half.like(int64_t(0x10001)); }
static Number twice(KernelBuilder &b, int64_t half) { return b.integer32(int64_t(int32_t(uint32_t(half) * 0x10001u))); }

/// a x b + c of two bf16 each, rounded once.
static Number fusePairs(KernelBuilder &b, Number x, Number y, Number z) {
  auto pair = [&](Number bits) { return b.number(LLVM::BitcastOp::create(b, VectorType::get(2, b.getBF16Type()), bits.value)); };
  return b.number(LLVM::BitcastOp::create(b, b.i32, fma(pair(x), pair(y), pair(z)).value));
}

/// The bits of an integer, at most 256 away from 0, as bf16.
static int64_t bitsOfInteger(int64_t value) { return int64_t(llvm::bit_cast<uint32_t>(float(value)) >> 16); }
static constexpr int64_t bitsOfOne = 0x3f80;
/// Of two to the power of an exponent.
static constexpr int64_t bitsOfPower(int64_t exponent) { return (exponent + 127) << 7; }

/// Two bf16 that are added to codes on a 128 (of four bits) or to signed ones (of eight): what makes them numbers.
Number WeightCodes::addend(Number zero) const {
  if (!storage.hasZeros)
    return twice(b, bitsOfInteger(offsetOf(storage) - (bits == 4 ? 128 : 0)));
  // Zeros are of unsigned codes.
  Number value = zero.toUnsigned(b.i32) + storage.zeroPoint;
  value = value & value.like((int64_t(1) << bits) - 1);
  if (bits == 4) // -128 and less: places count away from zero
    return twice(value | value.like(bitsOfInteger(-128)));
  return twice((b.integer32(128) - value).toReal().bitsAs(b.i32) >> 16);
}

/// All bits of a register, which is NaN, if one of the numbers in these words of E4M3 is: its row then has no other result anyway.
Number WeightCodes::poison(ArrayRef<Number> words) const {
  Number carries = b.integer32(0);
  for (Number word : words)
    carries = carries | ((word & b.integer32(0x7f7f7f7f)) + 0x01010101);
  return select((carries & b.integer32(int32_t(0x80808080))) != 0, b.integer32(-1), b.integer32(0));
}

KernelBuilder::Numbers WeightCodes::decode(ArrayRef<Number> words, Number zero) const {
  if (bits == 16)
    return KernelBuilder::Numbers(words);
  auto masked = [&](Number word, int64_t mask) { return word & twice(b, mask); };
  auto shifted = [](Number word, int64_t left) { return left < 0 ? word >> -left : left ? word << left : word; };
  const Number one = twice(b, bitsOfOne);
  const Number offset = storage.element.isInteger() ? addend(zero) : Number();
  const bool isUnsigned = storage.element.isUnsignedInteger();
  const int64_t ofWord = 32 / bits / 2; // registers
  KernelBuilder::Numbers registers;
  for (Number word : words)
    for (int64_t i = 0; i < ofWord; ++i) {
      const int64_t place = i * bits; // of the codes in both halves
      if (isE4M3(storage)) {
        // Exponent and mantissa where a bf16 has them: the number divided by 2^120, denormals included.
        Number small = masked(shifted(word, 8 - place), 0x8000) | masked(shifted(word, 4 - place), 0x07f0);
        registers.push_back(fusePairs(b, small, twice(b, bitsOfPower(120)), b.integer32(0)));
      } else if (isE2M1(storage)) {
        Number small = masked(shifted(word, 12 - place), 0x8000) | masked(shifted(word, 6 - place), 0x01c0);
        registers.push_back(fusePairs(b, small, twice(b, bitsOfPower(126)), b.integer32(0)));
      } else if (bits == 4) {
        Number codes = isUnsigned ? word : word ^ b.integer32(int32_t(0x88888888));
        Number on128 = masked(shifted(codes, -place), 0x000f) | twice(b, bitsOf128);
        registers.push_back(fusePairs(b, on128, one, offset));
      } else {
        // 128 and the lower seven bits, less 128, or less 256 where the sign is set: its bit is the one by which these differ.
        Number codes = shifted(isUnsigned ? word ^ b.integer32(int32_t(0x80808080)) : word, -place);
        Number on128 = masked(codes, 0x007f) | twice(b, bitsOf128);
        Number integer = fusePairs(b, on128, one, masked(codes, 0x0080) | twice(b, bitsOfInteger(-128)));
        bool isDone = !storage.hasZeros && offsetOf(storage) == 0;
        registers.push_back(isDone ? integer : fusePairs(b, integer, one, offset));
      }
    }
  if (isE4M3(storage))
    registers.front() = registers.front() | poison(words);
  return registers;
}
