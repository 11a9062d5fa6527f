// Tables of rows.
#include "lowering/x86/WeightRows.h"

#include "lowering/x86/WeightBlock.h"

using namespace moec::lowering;
using namespace moec::lowering::x86;

WeightRows WeightRows::allocate(KernelFrame &frame, const Storage &storage, int64_t count) {
  WeightRows rows{frame.allocate(frame.b.ptr, count)};
  if (storage.scale)
    rows.scales = frame.allocate(frame.b.ptr, count);
  if (storage.hasZeros)
    rows.zeros = frame.allocate(frame.b.ptr, count);
  if (storage.isQuantized) {
    rows.factors = frame.allocate(frame.b.f32, count);
    rows.unit = WeightBlock(frame.b, storage).unit();
  }
  return rows;
}

void WeightRows::set(Number index, const WeightRow &row) const {
  auto address = [](Pointer place) { return Number(*place.builder, place.value); };
  (elements + index).store(address(row.elements));
  if (scales.builder)
    (scales + index).store(address(row.scales));
  if (zeros.builder)
    (zeros + index).store(address(row.zeros));
  if (factors.builder)
    (factors + index).store(row.factor * row.factor.like(unit));
}

WeightRows WeightRows::from(Number index) const {
  WeightRows rest{elements + index};
  if (scales.builder)
    rest.scales = scales + index;
  if (zeros.builder)
    rest.zeros = zeros + index;
  if (factors.builder)
    rest.factors = factors + index;
  rest.unit = unit;
  return rest;
}
