// Recorded steps, by the numbers that their launches depend on.
#ifndef MOEC_RUNTIME_DEVICES_CUDA_GRAPHCACHE_H
#define MOEC_RUNTIME_DEVICES_CUDA_GRAPHCACHE_H

#include "runtime/devices/cuda/Owned.h"
#include "runtime/kernels/Kernel.h"

#include <vector>

namespace moec::runtime::cuda {

/// Keeps the graphs that were used last.
class GraphCache {
public:
  explicit GraphCache(size_t capacity) : capacity(capacity) {}

  /// The graph of a step of these numbers that leaves out output `unread`, or null.
  GraphExec find(size_t program, const StepNumbers &numbers, int64_t unread);
  /// Keeps a graph; when there are too many, the one that was used longest ago goes.
  void keep(size_t program, const StepNumbers &numbers, int64_t unread, Owned<GraphExec> graph);

  size_t size() const { return entries.size(); }

private:
  struct Entry {
    size_t program;
    StepNumbers numbers;
    int64_t unread;
    Owned<GraphExec> graph;
  };
  size_t capacity;
  std::vector<Entry> entries; ///< the one used last is last
};

} // namespace moec::runtime::cuda

#endif // MOEC_RUNTIME_DEVICES_CUDA_GRAPHCACHE_H
