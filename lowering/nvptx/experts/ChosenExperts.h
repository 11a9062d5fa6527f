// The experts that a step's tokens chose.
#ifndef MOEC_LOWERING_NVPTX_EXPERTS_CHOSENEXPERTS_H
#define MOEC_LOWERING_NVPTX_EXPERTS_CHOSENEXPERTS_H

#include "lowering/nvptx/KernelBuilder.h"
#include "llvm/Support/MathExtras.h"

#include <optional>

namespace moec::lowering::nvptx {

/// The assignments of every expert, in pieces of at most so many, by what moe.dispatch found. All functions are for all lanes of a
/// warp, each of which looks at every 32nd expert.
class ChosenExperts {
public:
  /// All of an expert's are a piece where `longest` is nothing.
  ChosenExperts(KernelBuilder &b, Pointer offsets, int64_t experts, std::optional<int64_t> longest, Pointer memory);
  /// The i32 of shared memory that blocks of so many threads need for it.
  static int64_t memoryFor(int64_t experts, int64_t threads) { return llvm::divideCeil(experts, warpSize) * threads; }

  /// How many pieces there are.
  Number count() const { return total; }

  /// An expert, and which entries of the order are the piece's assignments.
  struct Piece {
    Number expert, begin, end;
  };
  /// By the experts' numbers, an expert's by its order.
  Piece at(Number place) const;

private:
  KernelBuilder &b;
  const Pointer offsets;
  const std::optional<int64_t> longest;
  llvm::SmallVector<Pointer> firsts; ///< the places of the first pieces of this lane's experts: others need the registers
  std::optional<Number> onlyFirst;   ///< instead, where this is the only one and kept anyway
  Number total;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_EXPERTS_CHOSENEXPERTS_H
