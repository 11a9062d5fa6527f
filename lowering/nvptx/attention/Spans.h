// How the positions that a token sees are cut into spans that different blocks attend to.
#ifndef MOEC_LOWERING_NVPTX_ATTENTION_SPANS_H
#define MOEC_LOWERING_NVPTX_ATTENTION_SPANS_H

#include <bit>
#include <cstdint>

namespace moec::lowering::nvptx {

inline constexpr int64_t bitLength(int64_t number) { return std::bit_width(uint64_t(number)); }

/// Span i of a token is [i x length, (i + 1) x length). The length depends on the number of the last row that the token attends to,
/// its position where rows are positions, and on nothing else, so that what is added up in which order is the same in every batch.
struct Spans {
  int64_t shortest;         ///< a power of two and a multiple of a page
  int64_t most;             ///< spans of a token
  bool areShortest = false; ///< whatever the row: there are no more rows than so many of these hold

  /// At most `most` spans, and no more than `rows` behind each other fill, if that is not 0: a token then sees no others.
  static constexpr Spans forRows(int64_t shortest, int64_t most, int64_t rows) {
    int64_t filled = rows ? int64_t(std::bit_ceil(uint64_t((rows - 1) / shortest + 1))) : most;
    return {shortest, filled < most ? filled : most};
  }

  /// For lists of so many rows, or of any number if that is 0.
  static constexpr Spans forList(int64_t shortest, int64_t most, int64_t rows) {
    Spans spans = forRows(shortest, most, rows);
    spans.areShortest = rows && rows <= shortest * spans.most;
    return spans;
  }

  /// How often `shortest` is doubled for `most` spans to reach beyond `position`. A template, so that it may be a number of a
  /// kernel that is being written.
  template <typename Index> constexpr Index doublings(Index position) const { return bitLength(position / (shortest * most)); }
  constexpr int64_t lengthAt(int64_t position) const { return shortest << doublings(position); }
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_ATTENTION_SPANS_H
