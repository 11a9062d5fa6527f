// Gives every arena buffer and every constant its place.
#include "lowering/plan/BufferSize.h"
#include "lowering/plan/Passes.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace moec;
using namespace moec::plan;

namespace moec::lowering {
#define GEN_PASS_DEF_ASSIGNBUFFERS
#include "lowering/plan/Passes.h.inc"
} // namespace moec::lowering

namespace {

constexpr int64_t alignment = 64;

/// A buffer's number, its life as numbers of ops of its program, and its place.
struct Place {
  BufferOp buffer;
  int64_t number, begin, end, bytes, offset = 0;
};

/// The lives of the arena buffers of `program`, in order of their beginning.
SmallVector<Place> livesIn(ProgramOp program) {
  SmallVector<Place> places;
  DenseMap<Operation *, int64_t> numbers;
  for (Operation &op : program.getBody().front())
    numbers[&op] = int64_t(numbers.size());
  for (auto buffer : program.getBody().getOps<BufferOp>()) {
    if (buffer.getKind() != BufferKind::Arena)
      continue;
    Place place{buffer, int64_t(places.size()), int64_t(numbers.size()), -1, lowering::bytesOf(buffer, program)};
    for (Operation *user : buffer->getUsers()) {
      place.begin = std::min(place.begin, numbers.at(user));
      place.end = isa<OutputOp>(user) ? int64_t(numbers.size()) : std::max(place.end, numbers.at(user));
    }
    places.push_back(place);
  }
  llvm::sort(places, [](const Place &a, const Place &b) { return std::pair(a.begin, a.number) < std::pair(b.begin, b.number); });
  return places;
}

/// First fit: buffers in order of their beginning, each at the lowest place that no buffer still alive overlaps.
int64_t assign(MutableArrayRef<Place> places) {
  SmallVector<Place *> alive; // in order of offset
  int64_t size = 0;
  for (Place &place : places) {
    llvm::erase_if(alive, [&](Place *other) { return other->end < place.begin; });
    auto *next = alive.begin();
    for (; next != alive.end() && place.offset + place.bytes > (*next)->offset; ++next)
      place.offset = std::max<int64_t>(place.offset, llvm::alignTo((*next)->offset + (*next)->bytes, alignment));
    alive.insert(next, &place);
    size = std::max<int64_t>(size, llvm::alignTo(place.offset + place.bytes, alignment));
  }
  return size;
}

struct AssignBuffers : lowering::impl::AssignBuffersBase<AssignBuffers> {
  void runOnOperation() override {
    Builder builder(&getContext());
    for (auto program : getOperation().getOps<ProgramOp>()) {
      SmallVector<Place> places = livesIn(program);
      program.setArenaBytesAttr(builder.getI64IntegerAttr(assign(places)));
      for (Place &place : places)
        place.buffer.setOffsetAttr(builder.getI64IntegerAttr(place.offset));
    }
    int64_t end = 0;
    for (auto constant : getOperation().getOps<ConstantOp>()) {
      constant.setOffsetAttr(builder.getI64IntegerAttr(end));
      end += int64_t(llvm::alignTo(lowering::bytesOfRow(cast<ShapedType>(constant.getType())), alignment));
    }
  }
};

} // namespace
