// Rows of activations as integers, for weights that are codes of a byte or less: products by dot products of bytes.
//
// A row is multiplied by the power of two that gives its largest element as many bits as sums have room for, and rounded. An
// element is then three digits of eight bits, each with a sign; odd elements have four bits less where codes overlap. What a
// block's products sum to is exact, whatever their order.
#ifndef MOEC_LOWERING_X86_FIXEDPOINT_H
#define MOEC_LOWERING_X86_FIXEDPOINT_H

#include "lowering/x86/WeightBlock.h"

namespace moec::lowering::x86 {

class FixedPoint {
public:
  FixedPoint(KernelBuilder &b, const WeightBlock &block);

  /// Bytes of a row of so many blocks, and from the row's start to its first block and from block to block.
  int64_t rowBytes(int64_t blocks) const { return headerBytes + blocks * blockBytes(); }
  static constexpr int64_t headerBytes = 64;
  int64_t blockBytes() const { return (digits * vectors + 1) * vectorBytes; }

  /// Writes `width` elements of `source` as a row, padded with zeros; `prepared` is applied to each first.
  void convertRow(Pointer source, Pointer row, Number width, llvm::function_ref<Number(Number)> prepared) const;

  /// The activations of a block in registers.
  struct Block {
    KernelBuilder::Numbers digits; ///< the highest of every vector first
    Number offset;                 ///< what the products with codes are too much by, negated
  };
  Block load(Pointer place) const;
  /// The products of a block with the weights of `codes`, summed in lanes as `WeightBlock::loadScales` has them: f32, to be
  /// multiplied with the row's scale.
  Number multiply(const Block &activations, llvm::ArrayRef<Number> codes) const;
  Number scale(Pointer row) const { return row.as(b.f32).load(); }

private:
  static constexpr int64_t digits = 3, digitBits = 8, vectorBytes = 64;
  KernelBuilder::Numbers loadDigits(Pointer place) const;
  Number sumOfProducts(llvm::ArrayRef<Number> digits, llvm::ArrayRef<Number> codes) const;
  void convertBlock(Pointer source, Pointer place, Number scale, llvm::function_ref<Number(Number)> prepared) const;

  KernelBuilder &b;
  WeightBlock block;
  int64_t vectors;     ///< of codes in a block
  int64_t elementBits; ///< of the largest element of a row
};

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_FIXEDPOINT_H
