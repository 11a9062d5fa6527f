// Lists of what tokens attend to: positions or blocks of them, then -1.
#ifndef MOEC_LOWERING_NVPTX_POSITIONS_POSITIONLISTS_H
#define MOEC_LOWERING_NVPTX_POSITIONS_POSITIONLISTS_H

#include "lowering/nvptx/KernelFrame.h"

namespace moec::lowering::nvptx {

class PositionLists {
public:
  /// `listed` entries for each token.
  PositionLists(KernelBuilder &b, Pointer lists, int64_t listed) : b(b), lists(lists), listed(listed) {}

  Number at(Number token, Number index) const { return (listOf(token) + index).loadIndex(); }
  /// How many of a token's list are not -1. For all lanes of a warp.
  Number lengthOf(Number token) const;

private:
  Pointer listOf(Number token) const { return lists + token * listed; }

  KernelBuilder &b;
  Pointer lists;
  int64_t listed;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_POSITIONS_POSITIONLISTS_H
