// The micro-kernel: tiles of dot products, the loops around them, the form in which they want activations.
#include "lowering/x86/DotTile.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <numeric>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

DotForm::DotForm(KernelBuilder &b, Type weight, moe::Compute compute)
    : b(b), weight(weight), rounds(compute == moe::Compute::BF16), product(Product::Plain), step(b.lanes) {
  if (!weight.isBF16())
    return;
  product = rounds && b.target.hasBf16Dot ? Product::Bf16Dot : Product::Pairs;
  step = 2 * b.lanes;
}

Type DotForm::activation() const { return product == Product::Bf16Dot ? b.bf16 : b.f32; }

int64_t DotForm::rowBytes(int64_t width) const {
  int64_t lines = llvm::divideCeil(llvm::alignTo(width, step) * bytesOf(activation()), 64);
  return (lines | 1) * 64; // an odd number of cache lines: rows of a tile never fall on the same cache set
}

int64_t DotForm::activationElements(int64_t rows, int64_t width) const {
  return (rows + tallTile().rows) * rowBytes(width) / bytesOf(activation());
}

int64_t DotForm::resultElements(int64_t rows, int64_t columns) const { return (rows + tallTile().rows) * columns; }

int64_t DotForm::blockRows(int64_t width) const {
  int64_t cacheBytes = 1536 * 1024, rows = std::clamp<int64_t>(cacheBytes / rowBytes(width), 24, 192);
  return rows / tallTile().rows * tallTile().rows;
}

/// As many sums as registers allow beside the operands of a step; at least enough to cover the latency of a multiply-add.
DotForm::Shape DotForm::tallTile() const {
  if (b.target.vectorRegisters < 32)
    return {2, 4};
  return product == Product::Bf16Dot ? Shape{6, 4} : Shape{4, 4};
}

int64_t DotForm::lowRows() const {
  if (b.target.vectorRegisters < 32)
    return 1;
  return product == Product::Bf16Dot ? 3 : 2;
}

std::string DotForm::name(StringRef prefix) const {
  StringRef type = weight.isBF16() ? "bf16" : weight.isF16() ? "f16" : "f32";
  return ("moec." + prefix + "." + type + (rounds ? ".bf16" : ".f32")).str();
}

void DotForm::convertRow(Pointer source, Pointer destination, int64_t width) const {
  Type type = source.element;
  b.callShared(name(type.isBF16() ? "convert_bf16" : "convert"), {source, destination, b.integer(width)},
               [&](ArrayRef<Number> arguments) { buildConvert(type, arguments); });
}

void DotForm::buildConvert(Type sourceType, ArrayRef<Number> arguments) const {
  Pointer source = b.pointer(arguments[0], sourceType), destination = b.pointer(arguments[1], activation());
  Number width = arguments[2], whole = width - width % step;
  auto rounded = [&](Number value) { return rounds && product != Product::Bf16Dot ? widen(narrow(value, b.bf16)) : value; };
  b.forRange(b.integer(0), whole, step, [&](Number k) {
    SmallVector<Number> parts;
    for (int64_t part = 0; part < step; part += b.lanes)
      parts.push_back(rounded((source + k + part).loadF32(b.lanes)));
    if (product == Product::Pairs) {
      SmallVector<int64_t> even, odd;
      for (int64_t i = 0; i < b.lanes; ++i) {
        even.push_back(2 * i);
        odd.push_back(2 * i + 1);
      }
      parts = {parts[0].shuffle(parts[1], even), parts[0].shuffle(parts[1], odd)};
    }
    for (auto [i, part] : llvm::enumerate(parts))
      (destination + k + int64_t(i) * b.lanes).storeF32(part);
  });
  b.ifThen(whole < width, [&] {
    for (int64_t part = 0; part < step; part += b.lanes)
      (destination + whole + part).storeF32(b.zero(b.lanes));
    b.forRange(b.integer(0), width - whole, 1, [&](Number k) {
      Number place = product == Product::Pairs ? (k % 2) * b.lanes + k / 2 : k;
      (destination + whole + place).storeF32(rounded((source + whole + k).loadF32()));
    });
  });
}

void DotForm::multiply(Pointer activations, Number rows, Pointer weightRows, Number columns, int64_t width, Pointer result,
                       int64_t resultWidth) const {
  bool tail = width % step;
  b.callShared(
      name(tail ? "multiply_tail" : "multiply"),
      {activations, b.integer(rowBytes(width)), rows, weightRows, columns, b.integer(width), result, b.integer(resultWidth)},
      [&](ArrayRef<Number> arguments) { buildMultiply(tail, arguments); });
}

void DotForm::buildMultiply(bool tail, ArrayRef<Number> arguments) const {
  Pointer activations = b.pointer(arguments[0], activation()), weightRows = b.pointer(arguments[3], b.ptr),
          result = b.pointer(arguments[6], b.f32);
  Number rowBytes = arguments[1], rows = arguments[2], columns = arguments[4], width = arguments[5], resultWidth = arguments[7];
  Number steps = width / step, rest = width % step, ahead = width * bytesOf(weight);

  // The last, incomplete step of every weight row, padded with zeros: nothing is read beyond a row's end.
  Pointer tails;
  if (tail) {
    tails = b.pointer(LLVM::AllocaOp::create(b, b.ptr, weight, b.integer(maxColumns * step).value, 64), weight);
    b.forRange(columns, [&](Number n) {
      Pointer source = (weightRows + n).loadPointer(weight) + steps * step, destination = tails + n * step;
      for (int64_t part = 0; part < step; part += b.lanes)
        (destination + part).storeF32(b.zero(b.lanes));
      b.forRange(rest, [&](Number k) { (destination + k).store((source + k).load()); });
    });
  }

  auto tilesOfRow = [&](Shape shape, Number row) {
    b.forRange(b.integer(0), columns, shape.columns, [&](Number n) {
      SmallVector<Value> operands{activations.plusBytes(row * rowBytes), rowBytes,    weightRows + n, steps,
                                  result + (row * resultWidth + n),      resultWidth, ahead};
      if (tail)
        operands.push_back(tails + n * step);
      callTile(shape, tail, operands);
    });
  };

  // Columns outside: a tile's weight rows stay in the first-level cache while the activations pass by.
  Shape tall = tallTile();
  Number whole = rows - rows % tall.rows, over = rows - whole;
  b.forRange(b.integer(0), columns, tall.columns, [&](Number n) {
    b.forRange(b.integer(0), whole, tall.rows, [&](Number row) {
      SmallVector<Value> operands{activations.plusBytes(row * rowBytes), rowBytes,    weightRows + n, steps,
                                  result + (row * resultWidth + n),      resultWidth, ahead};
      if (tail)
        operands.push_back(tails + n * step);
      callTile(tall, tail, operands);
    });
  });
  for (int64_t low = 1; low <= lowRows(); ++low)
    b.ifThen(over == low, [&] { tilesOfRow({low, 8}, whole); });
  // More rows left than a low tile has: a tall one, over rows already done (they come out the same) or over padding.
  if (lowRows() + 1 < tall.rows)
    b.ifThen(over > lowRows(), [&] { tilesOfRow(tall, maximum(rows - tall.rows, b.integer(0))); });
}

void DotForm::callTile(Shape shape, bool tail, ArrayRef<Value> arguments) const {
  std::string suffix = std::to_string(shape.rows) + "x" + std::to_string(shape.columns);
  b.callShared(name((tail ? "tile_tail_" : "tile_") + suffix), arguments,
               [&](ArrayRef<Number> values) { buildTile(shape, tail, values); });
}

void DotForm::accumulate(MutableArrayRef<Number> sums, ArrayRef<Pointer> activationRows, ArrayRef<Pointer> weightRows) const {
  size_t columns = weightRows.size();
  auto addProducts = [&](ArrayRef<Number> a, Number w, size_t n) {
    for (size_t m = 0; m < a.size(); ++m)
      sums[m * columns + n] = fma(a[m], w, sums[m * columns + n]);
  };
  auto activationsAt = [&](int64_t offset, int64_t count) {
    return llvm::to_vector(llvm::map_range(activationRows, [&](Pointer row) { return (row + offset).load(count); }));
  };
  if (product == Product::Bf16Dot) {
    Type sumType = sums[0].type();
    SmallVector<Number> a = activationsAt(0, step);
    for (size_t n = 0; n < columns; ++n) {
      Number w = weightRows[n].load(step).bitsAs(b.bf16);
      for (size_t m = 0; m < a.size(); ++m) {
        Number &sum = sums[m * columns + n];
        auto call = LLVM::CallIntrinsicOp::create(b, sumType, b.getStringAttr("llvm.x86.avx512bf16.dpbf16ps.512"),
                                                  ValueRange{sum, a[m].bitsAs(b.bf16), w});
        sum = b.number(call.getResult(0));
      }
    }
  } else if (product == Product::Pairs) {
    SmallVector<Number> even = activationsAt(0, b.lanes), odd = activationsAt(b.lanes, b.lanes);
    for (size_t n = 0; n < columns; ++n) {
      Number pair = weightRows[n].as(b.i32).load(b.lanes);
      addProducts(even, (pair << 16).bitsAs(b.f32), n);
      addProducts(odd, (pair & pair.like(int64_t(0xffff0000u))).bitsAs(b.f32), n);
    }
  } else {
    SmallVector<Number> a = activationsAt(0, b.lanes);
    for (size_t n = 0; n < columns; ++n)
      addProducts(a, weightRows[n].loadF32(b.lanes), n);
  }
}

/// The sums of the lanes of up to `lanes` vectors, a power of two of them: half and half are added until each vector's sum is in
/// one lane. Which lanes meet depends only on the width of the vectors, not on how many there are.
static Number sumsOfLanes(ArrayRef<Number> vectors) {
  int64_t lanes = vectors.front().lanes();
  size_t count = vectors.size();
  SmallVector<Number> live(vectors);
  // owners[v][i]: the vector whose partial sum is in lane i of live[v].
  SmallVector<SmallVector<int64_t>> owners;
  for (size_t v = 0; v < count; ++v)
    owners.push_back(SmallVector<int64_t>(lanes, int64_t(v)));
  for (int64_t half = lanes / 2; half; half /= 2) {
    // Lane i holds the partial sum of lanes congruent to i; those `half` apart meet. In the first steps, while a vector's
    // partial sums fill whole 128-bit lanes, these are moved whole; later elements move within them.
    SmallVector<int64_t> low, high;
    int64_t group = 2 * half > 4 ? lanes : 4;
    for (int64_t g = 0; g < lanes; g += group)
      for (int64_t source = 0; source < 2; ++source)
        for (int64_t i = 0; i < group; i += 2 * half)
          for (int64_t j = 0; j < half; ++j) {
            low.push_back(source * lanes + g + i + j);
            high.push_back(source * lanes + g + i + half + j);
          }
    SmallVector<Number> next;
    SmallVector<SmallVector<int64_t>> nextOwners;
    for (size_t v = 0; v < live.size(); v += 2) {
      size_t other = std::min(v + 1, live.size() - 1);
      next.push_back(live[v].shuffle(live[other], low) + live[v].shuffle(live[other], high));
      SmallVector<int64_t> owner;
      for (int64_t i : low)
        owner.push_back(i < lanes ? owners[v][i] : owners[other][i - lanes]);
      nextOwners.push_back(owner);
    }
    live = next;
    owners = nextOwners;
  }
  SmallVector<int64_t> order;
  for (size_t v = 0; v < count; ++v)
    order.push_back(llvm::find(owners[0], int64_t(v)) - owners[0].begin());
  return live[0].shuffle(live[0], order);
}

void DotForm::buildTile(Shape shape, bool tail, ArrayRef<Number> arguments) const {
  Pointer activations = b.pointer(arguments[0], activation()), weights = b.pointer(arguments[2], b.ptr),
          result = b.pointer(arguments[4], b.f32);
  Number rowBytes = arguments[1], steps = arguments[3], resultWidth = arguments[5], ahead = arguments[6];
  SmallVector<Pointer> activationRows, weightRows;
  for (int64_t m = 0; m < shape.rows; ++m)
    activationRows.push_back(activations.plusBytes(rowBytes * m));
  for (int64_t n = 0; n < shape.columns; ++n)
    weightRows.push_back((weights + n).loadPointer(weight));

  auto movedBy = [&](ArrayRef<Pointer> rows, Number elements) {
    return llvm::to_vector(llvm::map_range(rows, [&](Pointer row) { return row + elements; }));
  };
  bool prefetches = shape.rows <= lowRows();
  Number distance = ahead * shape.columns;
  SmallVector<Number> sums = b.forRange(b.integer(0), steps, 1, SmallVector<Number>(shape.rows * shape.columns, b.zero(b.lanes)),
                                        [&](Number k, ArrayRef<Number> before) {
                                          SmallVector<Number> after(before);
                                          SmallVector<Pointer> here = movedBy(weightRows, k * step);
                                          // Few rows: memory is the limit. Ask for the rows of the next tile, which follow these in
                                          // memory.
                                          if (prefetches)
                                            for (Pointer row : here)
                                              row.plusBytes(distance).prefetch();
                                          accumulate(after, movedBy(activationRows, k * step), here);
                                          return after;
                                        });
  if (tail) {
    Pointer tails = b.pointer(arguments[7], weight);
    SmallVector<Pointer> tailRows;
    for (int64_t n = 0; n < shape.columns; ++n)
      tailRows.push_back(tails + n * step);
    accumulate(sums, movedBy(activationRows, steps * step), tailRows);
  }

  for (size_t first = 0; first < sums.size();) {
    size_t count = std::min<size_t>(llvm::bit_floor(sums.size() - first), b.lanes);
    Number group = sumsOfLanes(ArrayRef(sums).slice(first, count));
    int64_t run = std::min<int64_t>(count, shape.columns);
    for (size_t i = 0; i < count; i += run) {
      SmallVector<int64_t> lanes(run);
      std::iota(lanes.begin(), lanes.end(), int64_t(i));
      int64_t m = (first + i) / shape.columns, n = (first + i) % shape.columns;
      (result + (resultWidth * m + n)).store(group.shuffle(group, lanes));
    }
    first += count;
  }
}
