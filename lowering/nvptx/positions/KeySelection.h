// The largest keys of a row by a block: the digits of the smallest that is taken, one after the other, then those that are taken.
#ifndef MOEC_LOWERING_NVPTX_POSITIONS_KEYSELECTION_H
#define MOEC_LOWERING_NVPTX_POSITIONS_KEYSELECTION_H

#include "lowering/nvptx/KernelFrame.h"

namespace moec::lowering::nvptx {

class KeySelection {
public:
  /// For blocks of so many threads that take `k` keys.
  static constexpr int64_t threads = 256;
  KeySelection(KernelFrame &frame, int64_t k);

  /// Stores the places of the k largest of `count` keys (i32, more than k of them) to `list`, in ascending order; ties go to the
  /// lowest place. For all threads of the block, which meet before they read keys.
  void takeLargest(Pointer keys, Number count, Pointer list);

private:
  /// What is known of the smallest key that is taken: its leading bits, and how many of the keys that have these are taken.
  struct Threshold {
    Number bits, taken;
  };
  Threshold narrow(Pointer keys, Number count, Threshold known, int64_t shift, int64_t end);
  KernelBuilder::Numbers sumOfWarpsBefore(int64_t numbers);
  void list(Pointer keys, Number count, Threshold threshold, Pointer list);
  using Body = llvm::function_ref<KernelBuilder::Numbers(Number place, Number isPlace, Number key, llvm::ArrayRef<Number>)>;
  KernelBuilder::Numbers forOwnKeys(Pointer keys, Number count, llvm::ArrayRef<Number> initial, Body body);

  KernelBuilder &b;
  const int64_t k;
  Pointer counts;   ///< of the keys with each digit, the largest digit first
  Pointer ofWarps;  ///< numbers of the warps
  Pointer crossing; ///< where the digit is found, and how many of its keys are taken
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_POSITIONS_KEYSELECTION_H
