// Pairs of symbols that could merge, by rank and then by place.
#ifndef MOEC_RUNTIME_TOKENIZER_MERGEQUEUE_H
#define MOEC_RUNTIME_TOKENIZER_MERGEQUEUE_H

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

namespace moec::runtime {

/// A priority queue with a list of places for every rank: a long piece fills few lists with ascending places, which is
/// several times faster than one heap. Reused from piece to piece; empty in between.
class MergeQueue {
public:
  explicit MergeQueue(size_t ranks) : lists(ranks) {}

  bool empty() const { return ranks.empty(); }

  void push(uint32_t rank, int32_t place) {
    List &list = lists[rank];
    if (list.places.empty()) {
      ranks.push_back(rank);
      std::ranges::push_heap(ranks, std::greater());
    } else {
      list.sorted &= list.places.back() <= place;
    }
    list.places.push_back(place);
  }

  struct Entry {
    uint32_t rank;
    int32_t place;
  };
  /// Removes the leftmost of the lowest rank. A rank that is being emptied gets no places to the left of those it gave (what
  /// merges is longer than what it merged from), so that its list is sorted once.
  Entry pop() {
    uint32_t rank = ranks.front();
    List &list = lists[rank];
    if (!list.sorted) {
      std::sort(list.places.begin() + std::ptrdiff_t(list.given), list.places.end());
      list.sorted = true;
    }
    int32_t place = list.places[list.given++];
    if (list.given == list.places.size()) {
      std::ranges::pop_heap(ranks, std::greater());
      ranks.pop_back();
      list.given = 0;
      if (list.places.capacity() > keptPlaces)
        list.places = {};
      else
        list.places.clear();
    }
    return {rank, place};
  }

private:
  static constexpr size_t keptPlaces = 64; ///< of a list's memory, from piece to piece
  struct List {
    std::vector<int32_t> places;
    size_t given = 0; ///< how many were popped
    bool sorted = true;
  };
  std::vector<List> lists;     ///< by rank
  std::vector<uint32_t> ranks; ///< a heap of those with places
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_MERGEQUEUE_H
