// A block of neighbouring elements of a weight's row: how it comes from memory into vectors of f32.
#ifndef MOEC_LOWERING_X86_WEIGHTBLOCK_H
#define MOEC_LOWERING_X86_WEIGHTBLOCK_H

#include "lowering/kernel/Weight.h"
#include "lowering/x86/KernelBuilder.h"

namespace moec::lowering::x86 {

class WeightBlock {
public:
  WeightBlock(KernelBuilder &b, const Storage &storage);
  /// Whether rows stored like this can be read in blocks.
  static bool covers(const Storage &storage);

  /// Elements of a block.
  int64_t size() const { return elements; }
  /// Lane i of vector j holds element i x stride + j; with a stride of 1, element j x lanes + i. With none the order is another.
  int64_t stride() const { return distance; }
  /// The element in lane `lane` of vector `vector`.
  int64_t elementAt(int64_t vector, int64_t lane) const;
  /// Bytes in memory of so many elements.
  int64_t bytesOf(int64_t count) const { return count * bits / 8; }
  Number bytesOf(Number count) const { return count * bits / 8; }

  /// The block at `place` in vectors; of quantised elements the stored numbers less the zero point of all, each divided by `unit`.
  KernelBuilder::Numbers load(Pointer place) const;
  double unit() const;

  /// Whether the target multiplies the stored numbers as they are: codes, each the number in `unit`s and that of zero more.
  bool givesCodes() const;
  /// The codes of the block at `place`, in as many vectors of bytes as elements share a byte.
  KernelBuilder::Numbers loadCodes(Pointer place) const;
  /// Whether the two codes of a byte are not taken apart: then the first vector has the even element's code and 16 times the odd
  /// one's, the second the latter alone. That takes one operation; two masks and a shift would take them apart.
  bool codesOverlap() const { return bits == 4 && storage.element.isInteger(); }
  /// What each vector has where all elements are zero.
  llvm::SmallVector<int64_t> codesOfZero() const;
  /// The largest distance of an element's code from the one of zero.
  int64_t largestCode() const;

  /// Scales that belong to a block alone; 0 if one belongs to several blocks, or there are none.
  int64_t scales() const;
  /// The scales of block `index` of a row, in the lanes of the elements that they scale.
  Number loadScales(Pointer scales, Number index) const;
  /// What is to be subtracted from the numbers of block `index` of a row with these zeros, likewise.
  Number loadZeros(Pointer zeros, Number index) const;

private:
  KernelBuilder::Numbers loadPacked(Pointer place) const;
  Number lookUp(Number codes) const;
  Number lookUpBytes(Number codes) const;
  KernelBuilder::Numbers loadByTables(Pointer place) const;
  llvm::SmallVector<float> valuesOfCodes() const;
  int64_t codeOfZero() const;
  /// What `load` makes of as many neighbours in a row as block `index` has scales, in the lanes of the elements they belong to.
  Number inLanes(Pointer row, Number index, llvm::function_ref<Number(Pointer, int64_t)> load) const;

  KernelBuilder &b;
  Storage storage;
  int64_t bits, elements, distance, zeroPoint;
};

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_WEIGHTBLOCK_H
