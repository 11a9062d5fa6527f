// How work is cut into items and caches into pages: what the planner and every target must agree on.
#ifndef MOEC_LOWERING_PLAN_SCHEDULE_H
#define MOEC_LOWERING_PLAN_SCHEDULE_H

#include <cstdint>

namespace moec::lowering {

/// Positions in one page of a cache. A sequence's position p lies in row pages[sequence][p / pageSize] * pageSize + p % pageSize.
inline constexpr int64_t pageSize = 64;

/// Rows in one page of a cache with a row for each block of `block` positions. A block that begins at position p lies in row
/// pages[sequence][p / pageSize] * rowsOfPage + p % pageSize / block.
constexpr int64_t rowsOfPage(int64_t block) { return (pageSize + block - 1) / block; }

/// Query heads with one key/value head that make one item of attention at most, and the items of `heads` such heads.
inline constexpr int64_t headsPerItem = 16;
constexpr int64_t blocksOfHeads(int64_t heads) { return (heads + headsPerItem - 1) / headsPerItem; }

/// Columns of a matrix product's result that make one item.
inline constexpr int64_t columnsPerItem = 16;

/// Items of a kernel that computes matrix products `columns` wide: linear by its result, gate_up and expert_hidden by the
/// (routed) intermediate width, combine by its result. Shared experts' columns are dealt out over the same items.
constexpr int64_t itemsOfColumns(int64_t columns) { return (columns + columnsPerItem - 1) / columnsPerItem; }

} // namespace moec::lowering

#endif // MOEC_LOWERING_PLAN_SCHEDULE_H
