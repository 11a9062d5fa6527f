// How work is cut into items and caches into pages: what the planner and every target must agree on.
#ifndef MOEC_LOWERING_PLAN_SCHEDULE_H
#define MOEC_LOWERING_PLAN_SCHEDULE_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace moec::lowering {

/// Positions in one page of a cache. A sequence's position p lies in row pages[sequence][p / pageSize] * pageSize + p % pageSize.
inline constexpr int64_t pageSize = 64;

/// Columns of a matrix product's result that make one item.
inline constexpr int64_t columnsPerItem = 16;

/// Items of a kernel that computes matrix products `columns` wide: linear by its result, gate_up and expert_hidden by the
/// (routed) intermediate width, combine by its result. Shared experts' columns are dealt out over the same items.
constexpr int64_t itemsOfColumns(int64_t columns) { return (columns + columnsPerItem - 1) / columnsPerItem; }

/// The name of the attribute of plan.kernel that says how many leading rows each part of each weight has: an array with one
/// `array<i64>` for each region argument that is a weight, in order. Without it a weight of rank 3 has one part for each leading
/// index and any other weight a single part.
inline constexpr llvm::StringLiteral weightPartsAttrName = "weight_parts";

} // namespace moec::lowering

#endif // MOEC_LOWERING_PLAN_SCHEDULE_H
