// The running maximum, sum and context of query rows.
#include "lowering/x86/OnlineSoftmax.h"

#include "lowering/kernel/Functions.h"
#include "lowering/plan/Schedule.h"

#include <limits>

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::x86;

/// Tiles of products may write some rows beyond the last.
static constexpr int64_t spareRows = 8;

OnlineSoftmax::OnlineSoftmax(KernelFrame &frame, int64_t maxRows, int64_t width, double scale, std::optional<double> softCap)
    : b(frame.b), width(width), scale(scale), softCap(softCap), scoreRows(frame.allocate(b.f32, (maxRows + spareRows) * pageSize)),
      contexts(frame.allocate(b.f32, maxRows * width)), maxima(frame.allocate(b.f32, maxRows)),
      sums(frame.allocate(b.f32, maxRows)), firsts(frame.allocate(b.i32, maxRows)), lasts(frame.allocate(b.i32, maxRows)) {}

void OnlineSoftmax::startRow(Number row, Number first, Number last, std::optional<Number> sink) {
  // The maximum starts finite: the difference of two maxima is then never inf - inf.
  (maxima + row).store(sink ? *sink : b.real(std::numeric_limits<float>::lowest()));
  (sums + row).store(b.real(sink ? 1 : 0));
  look(row, first, last);
  b.forColumns(width, [&](Number column, int64_t lanes) { (contexts + row * width + column).store(b.zero(lanes)); });
}

void OnlineSoftmax::look(Number row, Number first, Number last) {
  (firsts + row).store(first.toInteger(b.i32));
  (lasts + row).store(last.toInteger(b.i32));
}

Matrix OnlineSoftmax::scores() const { return {scoreRows, pageSize}; }

void OnlineSoftmax::takePage(Number from, Number rows, Number pageStart, Number keys, Matrix values, std::optional<Pointer> marks) {
  Number count = rows - from;
  SmallVector<Value> arguments{
      scoreRows + from * pageSize, contexts + from * width, maxima + from,   sums + from, firsts + from, lasts + from, count,
      pageStart.toInteger(b.i32),  b.real(scale),           b.integer(width)};
  if (softCap)
    arguments.push_back(b.real(*softCap));
  if (marks)
    arguments.push_back(*marks + from * pageSize);
  std::string name = std::string("moec.softmax_page") + (softCap ? ".capped" : "") + (marks ? ".marked" : "");
  b.callShared(name, arguments, [&](ArrayRef<Number> a) { buildUpdate(marks.has_value(), a); });
  addWeightedRows(b, {scoreRows + from * pageSize, pageSize}, values, keys, {contexts + from * width, width}, count, width);
}

void OnlineSoftmax::buildUpdate(bool marked, ArrayRef<Number> a) const {
  Pointer scoreRows = b.pointer(a[0], b.f32), contexts = b.pointer(a[1], b.f32), maxima = b.pointer(a[2], b.f32),
          sums = b.pointer(a[3], b.f32), firsts = b.pointer(a[4], b.i32), lasts = b.pointer(a[5], b.i32);
  Number rows = a[6], pageStart = a[7], factor = a[8].splat(b.lanes), width = a[9];
  b.forRange(rows, [&](Number row) {
    Pointer scores = scoreRows + row * pageSize;
    Number first = (firsts + row).load().splat(b.lanes), last = (lasts + row).load().splat(b.lanes);
    SmallVector<Number> visible, values;
    for (int64_t i = 0; i < pageSize; i += b.lanes) {
      Number position = (pageStart + i).splat(b.lanes) + b.iota(b.lanes);
      Number score = (scores + i).load(b.lanes) * factor;
      if (softCap) {
        Number cap = a[10].splat(b.lanes);
        score = cap * hyperbolicTangent(score / cap);
      }
      visible.push_back((first <= position) & (position <= last));
      if (marked)
        visible.back() = visible.back() & ((b.pointer(a.back(), b.i32) + (row * pageSize + i)).load(b.lanes) != 0);
      values.push_back(select(visible.back(), score, score.like(-std::numeric_limits<double>::infinity())));
    }
    Number largest = values[0];
    for (Number value : ArrayRef(values).drop_front())
      largest = maximum(largest, value);
    Number before = (maxima + row).load(), now = maximum(b.maximumOfLanes(largest), before);
    Number fade = exponential(before - now);
    Number sum = b.zero(b.lanes);
    for (auto [i, value] : llvm::enumerate(values)) {
      Number weight = select(visible[i], exponential(value - now.splat(b.lanes)), b.zero(b.lanes));
      (scores + int64_t(i) * b.lanes).store(weight);
      sum = sum + weight;
    }
    (maxima + row).store(now);
    (sums + row).store(fma((sums + row).load(), fade, b.sumOfLanes(sum)));
    b.ifThen(before < now, [&] {
      Pointer context = contexts + row * width;
      b.forColumns(width, [&](Number column, int64_t lanes) {
        (context + column).store((context + column).load(lanes) * fade.splat(lanes));
      });
    });
  });
}

Number OnlineSoftmax::context(Number row, Number column, int64_t lanes) const {
  return (contexts + row * width + column).load(lanes) / (sums + row).load().splat(lanes);
}
