// mma.sync: products of matrices whose elements are spread over the threads of a warp.
#include "runtime/devices/emulator/Decoder.h"
#include "runtime/devices/emulator/Formats.h"
#include "runtime/devices/emulator/MatrixAccess.h"
#include "runtime/devices/emulator/Members.h"

#include <algorithm>
#include <limits>

using namespace moec::runtime::emulator;

namespace {
constexpr unsigned rows = 16, columns = 8;

/// How elements of A and B are held.
struct HalfElement {
  using Sum = float;
  static constexpr unsigned perRegister = 2;
  static float expand(uint32_t word, unsigned k) { return halfToFloat(uint16_t(word >> 16 * k)); }
};
struct BfloatElement {
  using Sum = float;
  static constexpr unsigned perRegister = 2;
  static float expand(uint32_t word, unsigned k) { return bfloatToFloat(uint16_t(word >> 16 * k)); }
};
struct Tf32Element {
  using Sum = float;
  static constexpr unsigned perRegister = 1;
  static float expand(uint32_t word, unsigned) { return std::bit_cast<float>(word & 0xffffe000); } // the rest is not looked at
};
template <float (*toFloat)(uint8_t)> struct SmallFloatElement {
  using Sum = float;
  static constexpr unsigned perRegister = 4;
  static float expand(uint32_t word, unsigned k) { return toFloat(uint8_t(word >> 8 * k)); }
};
template <class T> struct IntegerElement {
  using Sum = int32_t;
  static constexpr unsigned perRegister = 4;
  static int32_t expand(uint32_t word, unsigned k) { return T(word >> 8 * k); }
};

/// What C and D are.
enum Accumulator : uint8_t { single, half, integer, saturatedInteger };

// The layout of PTX, for elements of any size: with g = lane / 4 and t = lane % 4,
//   register r of A holds row g + 8 (r % 2), columns (t + 4 (r / 2)) perRegister + 0, 1, ...
//   register r of B holds column g, rows (t + 4 r) perRegister + 0, 1, ...
//   C and D hold row g + 8 (k / 2), columns 2 t + k % 2 as elements k = 0 to 3.

template <class Element, unsigned depth>
void gatherA(const Warp &warp, const Instruction &i, typename Element::Sum (&a)[rows][depth]) {
  constexpr unsigned registers = 2 * depth / (4 * Element::perRegister);
  for (unsigned r = 0; r < registers; ++r) {
    const uint32_t *words = warp.source<uint32_t>(i, r);
    for (unsigned lane = 0; lane < laneCount; ++lane)
      for (unsigned k = 0; k < Element::perRegister; ++k)
        a[lane / 4 + 8 * (r % 2)][(lane % 4 + 4 * (r / 2)) * Element::perRegister + k] = Element::expand(words[lane], k);
  }
}
template <class Element, unsigned depth>
void gatherB(const Warp &warp, const Instruction &i, unsigned first, typename Element::Sum (&b)[depth][columns]) {
  constexpr unsigned registers = depth / (4 * Element::perRegister);
  for (unsigned r = 0; r < registers; ++r) {
    const uint32_t *words = warp.source<uint32_t>(i, first + r);
    for (unsigned lane = 0; lane < laneCount; ++lane)
      for (unsigned k = 0; k < Element::perRegister; ++k)
        b[(lane % 4 + 4 * r) * Element::perRegister + k][lane / 4] = Element::expand(words[lane], k);
  }
}

template <class Sum> Sum &elementOf(Sum (&c)[rows][columns], unsigned lane, unsigned k) {
  return c[lane / 4 + 8 * (k / 2)][2 * (lane % 4) + k % 2];
}

template <class A, class B, unsigned depth, Accumulator accumulator> void multiply(Warp &warp, const Instruction &i) {
  using Sum = typename A::Sum;
  constexpr unsigned wordsOfA = 2 * depth / (4 * A::perRegister), wordsOfB = depth / (4 * B::perRegister);
  constexpr unsigned firstOfC = wordsOfA + wordsOfB;
  checkWholeWarp(warp);
  ++warp.counters.matrixOperations[i.mode];
  Sum a[rows][depth], b[depth][columns], c[rows][columns];
  gatherA<A, depth>(warp, i, a);
  gatherB<B, depth>(warp, i, wordsOfA, b);
  for (unsigned k = 0; k < 4; ++k)
    for (unsigned lane = 0; lane < laneCount; ++lane)
      if constexpr (accumulator == half)
        elementOf(c, lane, k) = halfToFloat(uint16_t(warp.source<uint32_t>(i, firstOfC + k / 2)[lane] >> 16 * (k % 2)));
      else
        elementOf(c, lane, k) = warp.source<Sum>(i, firstOfC + k)[lane];
  for (unsigned row = 0; row < rows; ++row) {
    if constexpr (accumulator == integer || accumulator == saturatedInteger) {
      int64_t sums[columns];
      std::copy_n(c[row], columns, sums);
      for (unsigned k = 0; k < depth; ++k)
        for (unsigned column = 0; column < columns; ++column)
          sums[column] += int64_t(a[row][k]) * b[k][column];
      for (unsigned column = 0; column < columns; ++column)
        c[row][column] = accumulator == integer ? int32_t(sums[column])
                                                : int32_t(std::clamp<int64_t>(sums[column], std::numeric_limits<int32_t>::min(),
                                                                              std::numeric_limits<int32_t>::max()));
    } else {
      float sums[columns];
      std::copy_n(c[row], columns, sums);
      for (unsigned k = 0; k < depth; ++k)
        for (unsigned column = 0; column < columns; ++column)
          sums[column] = std::fma(a[row][k], b[k][column], sums[column]);
      std::copy_n(sums, columns, c[row]);
    }
  }
  for (unsigned k = 0; k < i.results; ++k) {
    if constexpr (accumulator == half) {
      uint32_t words[laneCount];
      for (unsigned lane = 0; lane < laneCount; ++lane)
        words[lane] = uint32_t(floatToHalf(elementOf(c, lane, 2 * k + 1))) << 16 | floatToHalf(elementOf(c, lane, 2 * k));
      warp.write(i, k, words);
    } else {
      Sum words[laneCount];
      for (unsigned lane = 0; lane < laneCount; ++lane)
        words[lane] = elementOf(c, lane, k);
      warp.write(i, k, words);
    }
    // A product needs the elements of every thread.
    warp.setWritten(i, k, warp.known == allLanes ? allLanes : 0);
  }
}

struct Variant {
  std::string_view name; ///< shape, then the types of D, A, B, C
  uint8_t wordsOfA, wordsOfB, wordsOfC;
  Execute execute, saturated;
};

using E4m3 = SmallFloatElement<&e4m3ToFloat>;
using E5m2 = SmallFloatElement<&e5m2ToFloat>;
using S8 = IntegerElement<int8_t>;
using U8 = IntegerElement<uint8_t>;

constexpr Variant variants[] = {
    {"m16n8k8.f32.f16.f16.f32", 2, 1, 4, &multiply<HalfElement, HalfElement, 8, single>, nullptr},
    {"m16n8k8.f16.f16.f16.f16", 2, 1, 2, &multiply<HalfElement, HalfElement, 8, half>, nullptr},
    {"m16n8k16.f32.f16.f16.f32", 4, 2, 4, &multiply<HalfElement, HalfElement, 16, single>, nullptr},
    {"m16n8k16.f16.f16.f16.f16", 4, 2, 2, &multiply<HalfElement, HalfElement, 16, half>, nullptr},
    {"m16n8k8.f32.bf16.bf16.f32", 2, 1, 4, &multiply<BfloatElement, BfloatElement, 8, single>, nullptr},
    {"m16n8k16.f32.bf16.bf16.f32", 4, 2, 4, &multiply<BfloatElement, BfloatElement, 16, single>, nullptr},
    {"m16n8k4.f32.tf32.tf32.f32", 2, 1, 4, &multiply<Tf32Element, Tf32Element, 4, single>, nullptr},
    {"m16n8k8.f32.tf32.tf32.f32", 4, 2, 4, &multiply<Tf32Element, Tf32Element, 8, single>, nullptr},
    {"m16n8k16.s32.s8.s8.s32", 2, 1, 4, &multiply<S8, S8, 16, integer>, &multiply<S8, S8, 16, saturatedInteger>},
    {"m16n8k16.s32.u8.u8.s32", 2, 1, 4, &multiply<U8, U8, 16, integer>, &multiply<U8, U8, 16, saturatedInteger>},
    {"m16n8k16.s32.s8.u8.s32", 2, 1, 4, &multiply<S8, U8, 16, integer>, &multiply<S8, U8, 16, saturatedInteger>},
    {"m16n8k16.s32.u8.s8.s32", 2, 1, 4, &multiply<U8, S8, 16, integer>, &multiply<U8, S8, 16, saturatedInteger>},
    {"m16n8k32.s32.s8.s8.s32", 4, 2, 4, &multiply<S8, S8, 32, integer>, &multiply<S8, S8, 32, saturatedInteger>},
    {"m16n8k32.s32.u8.u8.s32", 4, 2, 4, &multiply<U8, U8, 32, integer>, &multiply<U8, U8, 32, saturatedInteger>},
    {"m16n8k32.s32.s8.u8.s32", 4, 2, 4, &multiply<S8, U8, 32, integer>, &multiply<S8, U8, 32, saturatedInteger>},
    {"m16n8k32.s32.u8.s8.s32", 4, 2, 4, &multiply<U8, S8, 32, integer>, &multiply<U8, S8, 32, saturatedInteger>},
    {"m16n8k32.f32.e4m3.e4m3.f32", 4, 2, 4, &multiply<E4m3, E4m3, 32, single>, nullptr},
    {"m16n8k32.f32.e5m2.e5m2.f32", 4, 2, 4, &multiply<E5m2, E5m2, 32, single>, nullptr},
    {"m16n8k32.f32.e4m3.e5m2.f32", 4, 2, 4, &multiply<E4m3, E5m2, 32, single>, nullptr},
    {"m16n8k32.f32.e5m2.e4m3.f32", 4, 2, 4, &multiply<E5m2, E4m3, 32, single>, nullptr},
};
static_assert(std::size(variants) <= matrixShapes);

/// mma.sync.aligned.shape.row.col{.satfinite}.d.a.b.c d, a, b, c
void decodeProduct(Decoder &d) {
  d.takeOne({"sync"});
  d.take("aligned");
  std::string name(d.takePrefixed("m"));
  d.takeOne({"row"});
  d.takeOne({"col"});
  bool saturates = d.take("satfinite");
  for (unsigned k = 0; k < 4; ++k)
    name.append(".").append(d.takeTypeName());
  auto variant = std::ranges::find(variants, name, &Variant::name);
  if (variant == std::end(variants))
    return d.fail("'" + name + "' is not supported");
  d.expectOperands(4, 4);
  auto words = [&](size_t k, unsigned count, bool isResult) {
    const SyntaxOperand &operand = d.syntax(k);
    if (operand.elements.size() != count)
      d.fail("expected operand " + std::to_string(k + 1) + " to have " + std::to_string(count) + " elements");
    for (const SyntaxOperand &element : operand.elements)
      isResult ? d.result(element, Type::b32) : d.source(element, Type::b32);
  };
  words(0, variant->wordsOfC, true);
  words(1, variant->wordsOfA, false);
  words(2, variant->wordsOfB, false);
  words(3, variant->wordsOfC, false);
  d.instruction.mode = uint8_t(variant - variants);
  d.instruction.ownShadow = true;
  d.executeWith(saturates ? variant->saturated : variant->execute);
}
} // namespace

std::string_view moec::runtime::emulator::nameOfMatrixShape(unsigned shape) {
  return shape < std::size(variants) ? variants[shape].name : "";
}

std::span<const Mnemonic> moec::runtime::emulator::matrixMnemonics() {
  static constexpr Mnemonic mnemonics[] = {
      {"mma", decodeProduct}, {"ldmatrix", decodeLoadMatrix}, {"stmatrix", decodeStoreMatrix}, {"movmatrix", decodeTranspose}};
  return mnemonics;
}
