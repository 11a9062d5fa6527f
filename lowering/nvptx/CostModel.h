// What the work of a launch takes on a GPU, estimated, to choose between ways to cut it into blocks.
#ifndef MOEC_LOWERING_NVPTX_COSTMODEL_H
#define MOEC_LOWERING_NVPTX_COSTMODEL_H

#include "lowering/nvptx/Target.h"

#include <string>

namespace moec::lowering::nvptx {

struct Work {
  int64_t blocks = 0;
  int64_t blocksAtOnce = 1; ///< of these on one multiprocessor
  double microseconds = 0;  ///< of a block that waits for nothing but its own loads
  double bytes = 0;         ///< that all blocks ask for
  double distinctBytes = 0; ///< of these, what comes from memory and not from the cache
};

struct Cost {
  int64_t blocks = 0, waves = 0; ///< a wave is as many blocks as there are at once
  double bytes = 0, microseconds = 0;

  /// For two that follow each other.
  Cost operator+(const Cost &other) const;
  /// For remarks: "128 blocks in 2 waves, 83.9 MB, 21.0 us".
  std::string describe() const;
};

/// The longest of what the waves take, what the cache takes to hand out all bytes, and memory the distinct ones.
Cost costOf(const Work &work, const Machine &machine);

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_COSTMODEL_H
