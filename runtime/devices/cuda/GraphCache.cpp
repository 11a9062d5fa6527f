// Recorded steps, by the numbers that their launches depend on.
#include "runtime/devices/cuda/GraphCache.h"

#include <algorithm>

using namespace moec::runtime;
using namespace moec::runtime::cuda;

GraphExec GraphCache::find(size_t program, const StepNumbers &numbers, int64_t unread) {
  auto found = std::ranges::find_if(
      entries, [&](const Entry &entry) { return entry.program == program && entry.numbers == numbers && entry.unread == unread; });
  if (found == entries.end())
    return nullptr;
  std::rotate(found, found + 1, entries.end());
  return entries.back().graph.get();
}

void GraphCache::keep(size_t program, const StepNumbers &numbers, int64_t unread, Owned<GraphExec> graph) {
  if (entries.size() == capacity)
    entries.erase(entries.begin());
  entries.push_back({program, numbers, unread, std::move(graph)});
}
