// The micro-kernel: tiles of dot products, the loops around them, the form in which they want activations.
#include "lowering/x86/DotTile.h"

#include "lowering/kernel/NumberFormat.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <limits>
#include <numeric>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

DotForm::DotForm(KernelBuilder &b, const Storage &storage, moe::Compute compute)
    : b(b), storage(storage), block(b, withScalesInF32(storage)), rounds(compute == moe::Compute::BF16),
      hasBf16Dot(rounds && storage.element.isBF16() && b.target.hasBf16Dot), memory(inMemory(storage.element)), step(block.size()) {
  if (block.givesCodes())
    fixedPoint.emplace(b, block);
}

Type DotForm::activation() const { return fixedPoint ? b.i8 : hasBf16Dot ? b.bf16 : b.f32; }

int64_t DotForm::rowBytes(int64_t width) const {
  int64_t blocks = llvm::divideCeil(width, step);
  int64_t lines = llvm::divideCeil(fixedPoint ? fixedPoint->rowBytes(blocks) : blocks * step * bytesOf(activation()), 64);
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
  return hasBf16Dot ? Shape{6, 4} : Shape{4, 4};
}

int64_t DotForm::lowRows() const {
  if (b.target.vectorRegisters < 32)
    return 1;
  return hasBf16Dot ? 3 : 2;
}

std::string DotForm::name(StringRef prefix) const {
  return ("moec." + prefix + "." + storage.name() + (rounds ? ".bf16" : ".f32")).str();
}

void DotForm::convertRow(Pointer source, Pointer destination, int64_t width) const {
  Type type = source.element;
  b.callShared(name(type.isBF16() ? "convert_bf16" : "convert"), {source, destination, b.integer(width)},
               [&](ArrayRef<Number> arguments) { buildConvert(type, arguments); });
}

/// Vectors of consecutive elements as vectors of every `stride`-th: those from the first element, from the second, ...
static KernelBuilder::Numbers byStride(ArrayRef<Number> vectors, int64_t stride) {
  if (stride == 1)
    return KernelBuilder::Numbers(vectors);
  int64_t lanes = vectors.front().lanes();
  KernelBuilder::Numbers halves[2];
  for (int64_t from : {0, 1}) {
    SmallVector<int64_t> mask;
    for (int64_t i = 0; i < lanes; ++i)
      mask.push_back(2 * i + from);
    KernelBuilder::Numbers every2nd;
    for (size_t v = 0; v < vectors.size(); v += 2)
      every2nd.push_back(vectors[v].shuffle(vectors[v + 1], mask));
    halves[from] = byStride(every2nd, stride / 2);
  }
  KernelBuilder::Numbers result;
  for (int64_t i = 0; i < stride / 2; ++i)
    result.append({halves[0][i], halves[1][i]});
  return result;
}

/// Vectors of consecutive elements as vectors of those that `block` has in theirs.
static KernelBuilder::Numbers inOrderOf(const WeightBlock &block, ArrayRef<Number> vectors) {
  if (block.stride())
    return byStride(vectors, block.stride());
  int64_t lanes = vectors.front().lanes();
  KernelBuilder::Numbers result;
  for (size_t j = 0; j < vectors.size(); ++j) {
    Number gathered = vectors[0];
    for (size_t from = 0; from < vectors.size(); ++from) {
      SmallVector<int64_t> mask;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        int64_t element = block.elementAt(int64_t(j), lane);
        mask.push_back(element / lanes == int64_t(from) ? lanes + element % lanes : lane);
      }
      gathered = gathered.shuffle(vectors[from], mask);
    }
    result.push_back(gathered);
  }
  return result;
}

/// A zero to store where numbers of `type` are.
static Number zeroOf(KernelBuilder &b, Type type) {
  Type bits = b.getIntegerType(type.getIntOrFloatBitWidth());
  return b.number(arith::ConstantOp::create(b, b.getIntegerAttr(bits, 0)));
}

void DotForm::buildConvert(Type sourceType, ArrayRef<Number> arguments) const {
  Pointer source = b.pointer(arguments[0], sourceType), destination = b.pointer(arguments[1], activation());
  Number width = arguments[2], whole = width - width % step;
  auto rounded = [&](Number value) { return rounds && !hasBf16Dot ? widen(narrow(value, b.bf16)) : value; };
  if (fixedPoint)
    return fixedPoint->convertRow(source, destination, width, rounded);
  Pointer tail = b.pointer(LLVM::AllocaOp::create(b, b.ptr, b.f32, b.integer(step).value, 64), b.f32);
  auto convertBlock = [&](Pointer from, Pointer to) {
    KernelBuilder::Numbers parts;
    for (int64_t part = 0; part < step; part += b.lanes)
      parts.push_back(rounded((from + part).loadF32(b.lanes)));
    for (auto [i, part] : llvm::enumerate(hasBf16Dot ? parts : inOrderOf(block, parts)))
      (to + int64_t(i) * b.lanes).storeF32(part);
  };
  b.forRange(b.integer(0), whole, step, [&](Number k) { convertBlock(source + k, destination + k); });
  b.ifThen(whole < width, [&] {
    for (int64_t part = 0; part < step; part += b.lanes)
      (tail + part).store(b.zero(b.lanes));
    b.forRange(width - whole, [&](Number k) { (tail + k).store((source + whole + k).loadF32()); });
    convertBlock(tail, destination + whole);
  });
}

void DotForm::append(SmallVectorImpl<Value> &arguments, const WeightRows &rows) const {
  arguments.push_back(rows.elements);
  if (storage.isQuantized)
    arguments.push_back(rows.factors);
  if (storage.scale)
    arguments.push_back(rows.scales);
  if (storage.hasZeros)
    arguments.push_back(rows.zeros);
}

WeightRows DotForm::rowsFrom(ArrayRef<Number> arguments) const {
  WeightRows rows{b.pointer(arguments[0], b.ptr)};
  if (storage.isQuantized)
    rows.factors = b.pointer(arguments[1], b.f32);
  if (storage.scale)
    rows.scales = b.pointer(arguments[2], b.ptr);
  if (storage.hasZeros)
    rows.zeros = b.pointer(arguments[3], b.ptr);
  return rows;
}

/// More than any memory has.
static constexpr int64_t rowsWithoutEnd = int64_t(1) << 32;

void DotForm::multiply(Pointer activations, Number rows, const WeightRows &weightRows, Number columns, int64_t width,
                       Pointer result, int64_t resultWidth, std::optional<Upcoming> upcoming) const {
  bool tail = width % step;
  if (!upcoming)
    upcoming = Upcoming{maxColumns, b.integer(rowsWithoutEnd), weightRows.elements};
  SmallVector<Value> arguments{activations,
                               b.integer(rowBytes(width)),
                               rows,
                               columns,
                               b.integer(width),
                               result,
                               b.integer(resultWidth),
                               b.integer(upcoming->groupRows),
                               upcoming->rows,
                               upcoming->afterwards};
  append(arguments, weightRows);
  if (hasByteScales(storage))
    arguments.push_back(weightRows.scaleNumbers);
  b.callShared(name(tail ? "multiply_tail" : "multiply"), arguments, [&](ArrayRef<Number> a) { buildMultiply(tail, a); });
}

WeightRows DotForm::copyTails(const WeightRows &rows, Number columns, Number width) const {
  auto copies = [&](Pointer places, Type type, int64_t count, Number first, Number rest) {
    Pointer memory = b.pointer(LLVM::AllocaOp::create(b, b.ptr, type, b.integer(maxColumns * count).value, 64), type);
    b.forRange(columns, [&](Number n) {
      Pointer source = (places + n).loadPointer(type) + first, destination = memory + n * count;
      b.forRange(count, [&](Number k) { (destination + k).store(zeroOf(b, type)); });
      b.forRange(rest, [&](Number k) { (destination + k).store((source + k).load()); });
    });
    return memory;
  };
  Number blocks = width / step, rest = width % step;
  int64_t perElement = memory.getIntOrFloatBitWidth() / storage.element.getIntOrFloatBitWidth();
  WeightRows tails{copies(rows.elements, memory, step / perElement, blocks * (step / perElement), rest / perElement)};
  if (int64_t count = block.scales()) {
    Number first = blocks * count, left = (rest + (storage.scaleColumns - 1)) / storage.scaleColumns;
    if (!hasByteScales(storage))
      tails.scales = copies(rows.scales, inMemory(storage.scale), count, first, left);
    if (storage.hasZeros)
      tails.zeros = copies(rows.zeros, b.i8, count, first, left);
  }
  return tails;
}

/// The least that is asked for in a row from memory: less, and the processor does not see where it leads.
static constexpr int64_t runBytes = 8192;

/// In place of a distance: nothing is read afterwards.
static constexpr int64_t nowhere = std::numeric_limits<int64_t>::min();

void DotForm::buildMultiply(bool tail, ArrayRef<Number> arguments) const {
  Pointer activations = b.pointer(arguments[0], activation()), result = b.pointer(arguments[5], b.f32);
  Number rowBytes = arguments[1], rows = arguments[2], columns = arguments[3], width = arguments[4], resultWidth = arguments[6];
  Number groupRows = arguments[7], upcomingRows = arguments[8];
  Pointer afterwards = b.pointer(arguments[9], b.i64);
  WeightRows weightRows = rowsFrom(arguments.drop_front(10)), tails;
  Number steps = width / step, bytes = maximum(block.bytesOf(width), b.integer(1));
  if (hasByteScales(storage))
    weightRows.scaleNumbers = b.pointer(arguments.back(), b.f32);
  if (tail)
    tails = copyTails(weightRows, columns, width);

  // Memory is fastest when it is read in several places at once, in each in order. So while `run` tiles use their rows, which
  // follow each other in memory, they ask for those of the next `run` tiles: every tile for one of each `run` neighbours.
  Pointer addresses = weightRows.elements.as(b.i64);
  Number run = maximum(b.integer(runBytes) / bytes, b.integer(1)), firstRow = addresses.load() / bytes;
  auto tile = [&](Shape shape, Number row, Number n) {
    Number turn = (firstRow + n) / shape.columns % run;
    Number ahead = (run * shape.columns - turn * (shape.columns - 1)) * bytes;
    // Behind what is used of this group comes what is read afterwards, so far away.
    Number bytesLeft = (groupRows - n % groupRows + upcomingRows) * bytes, next = (afterwards + n / groupRows).load();
    Number distance = select(next == 0, b.integer(nowhere), next - (addresses + n).load() - bytesLeft);
    SmallVector<Value> operands{activations.plusBytes(row * rowBytes),
                                rowBytes,
                                steps,
                                result + (row * resultWidth + n),
                                resultWidth,
                                ahead,
                                run * bytes,
                                bytesLeft,
                                distance};
    WeightRows tileRows = weightRows.from(n);
    if (hasByteScales(storage)) {
      if (shape.isFirst)
        tileRows.convertScales(b, storage, shape.columns, width, run * shape.columns);
      tileRows.scales = tileRows.scaleNumbers.as(b.ptr);
    }
    append(operands, tileRows);
    if (tail)
      operands.push_back(tails.elements + n * (block.bytesOf(step) / bytesOf(memory)));
    if (tail && tails.scales.builder)
      operands.push_back(tails.scales + n * block.scales());
    if (tail && tails.zeros.builder)
      operands.push_back(tails.zeros + n * block.scales());
    callTile(shape, tail, operands);
  };
  auto tilesOfRow = [&](Shape shape, Number row) {
    b.forRange(b.integer(0), columns, shape.columns, [&](Number n) { tile(shape, row, n); });
  };

  // Columns outside: a tile's weight rows stay in the first-level cache while the activations pass by.
  Shape tall = tallTile(), later = {tall.rows, tall.columns, /*isFirst=*/false};
  Number whole = rows - rows % tall.rows, over = rows - whole;
  b.ifThen(whole > b.integer(0), [&] {
    b.forRange(b.integer(0), columns, tall.columns, [&](Number n) {
      tile(tall, b.integer(0), n);
      b.forRange(b.integer(tall.rows), whole, tall.rows, [&](Number row) { tile(later, row, n); });
    });
  });
  for (int64_t low = 1; low <= lowRows(); ++low)
    b.ifThen(over == low, [&] { tilesOfRow({low, 8}, whole); });
  // More rows left than a low tile has: a tall one, over rows already done (they come out the same) or over padding.
  if (lowRows() + 1 < tall.rows)
    b.ifThen(over > lowRows(), [&] { tilesOfRow(tall, maximum(rows - tall.rows, b.integer(0))); });
}

void DotForm::callTile(Shape shape, bool tail, ArrayRef<Value> arguments) const {
  std::string suffix = std::to_string(shape.rows) + "x" + std::to_string(shape.columns) + (shape.isFirst ? "_first" : "");
  b.callShared(name((tail ? "tile_tail_" : "tile_") + suffix), arguments,
               [&](ArrayRef<Number> values) { buildTile(shape, tail, values); });
}

void DotForm::accumulateBf16(MutableArrayRef<Number> sums, ArrayRef<Pointer> activationRows, ArrayRef<Pointer> weightRows) const {
  Type sumType = sums[0].type();
  SmallVector<Number> a = llvm::map_to_vector(activationRows, [&](Pointer row) { return row.load(step); });
  for (size_t n = 0; n < weightRows.size(); ++n) {
    Number w = weightRows[n].load(step).bitsAs(b.bf16);
    for (size_t m = 0; m < a.size(); ++m) {
      Number &sum = sums[m * weightRows.size() + n];
      auto call = LLVM::CallIntrinsicOp::create(b, sumType, b.getStringAttr("llvm.x86.avx512bf16.dpbf16ps.512"),
                                                ValueRange{sum, a[m].bitsAs(b.bf16), w});
      sum = b.number(call.getResult(0));
    }
  }
}

void DotForm::accumulateCodes(MutableArrayRef<Number> sums, ArrayRef<Pointer> activationRows, ArrayRef<Pointer> weightRows,
                              ArrayRef<Number> scales) const {
  auto activations = llvm::map_to_vector(activationRows, [&](Pointer row) { return fixedPoint->load(row); });
  for (size_t n = 0; n < weightRows.size(); ++n) {
    KernelBuilder::Numbers codes = block.loadCodes(weightRows[n]);
    for (size_t m = 0; m < activations.size(); ++m) {
      Number &sum = sums[m * weightRows.size() + n];
      Number ofBlock = fixedPoint->multiply(activations[m], codes);
      sum = scales.empty() ? sum + ofBlock : fma(ofBlock, scales[n], sum);
    }
  }
}

void DotForm::accumulate(MutableArrayRef<Number> sums, ArrayRef<Pointer> activationRows, ArrayRef<Pointer> weightRows,
                         ArrayRef<Number> scales, ArrayRef<Number> zeros) const {
  if (hasBf16Dot)
    return accumulateBf16(sums, activationRows, weightRows);
  if (fixedPoint)
    return accumulateCodes(sums, activationRows, weightRows, scales);
  size_t rows = activationRows.size(), columns = weightRows.size();
  SmallVector<KernelBuilder::Numbers> activations(rows);
  for (size_t m = 0; m < rows; ++m)
    for (int64_t part = 0; part < step; part += b.lanes)
      activations[m].push_back((activationRows[m] + part).load(b.lanes));
  for (size_t n = 0; n < columns; ++n) {
    KernelBuilder::Numbers weights = block.load(weightRows[n]);
    if (!zeros.empty())
      for (Number &weight : weights)
        weight = weight - zeros[n];
    for (size_t m = 0; m < rows; ++m) {
      Number &sum = sums[m * columns + n];
      // What shares scales is summed first and scaled then.
      Number ofBlock = scales.empty() ? sum : b.zero(b.lanes);
      for (auto [activation, weight] : llvm::zip(activations[m], weights))
        ofBlock = fma(activation, weight, ofBlock);
      sum = scales.empty() ? ofBlock : fma(ofBlock, scales[n], sum);
    }
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
  Pointer activations = b.pointer(arguments[0], activation()), result = b.pointer(arguments[3], b.f32);
  Number rowBytes = arguments[1], steps = arguments[2], resultWidth = arguments[4], ahead = arguments[5], apart = arguments[6];
  Number bytesLeft = arguments[7], distance = arguments[8];
  WeightRows rows = rowsFrom(arguments.drop_front(9));
  Type scale = withScalesInF32(storage).scale;
  SmallVector<Pointer> activationRows, weightRows, scaleRows, zeroRows;
  for (int64_t m = 0; m < shape.rows; ++m)
    activationRows.push_back(activations.plusBytes(rowBytes * m + (fixedPoint ? FixedPoint::headerBytes : 0)));
  for (int64_t n = 0; n < shape.columns; ++n) {
    weightRows.push_back((rows.elements + n).loadPointer(memory));
    if (storage.scale)
      scaleRows.push_back((rows.scales + n).loadPointer(scale));
    if (storage.hasZeros)
      zeroRows.push_back((rows.zeros + n).loadPointer(b.i8));
  }

  int64_t blockElements = block.bytesOf(step) / bytesOf(memory), blockActivations = fixedPoint ? fixedPoint->blockBytes() : step;
  auto movedBy = [&](ArrayRef<Pointer> rows, Number elements) {
    return llvm::map_to_vector(rows, [&](Pointer row) { return row + elements; });
  };
  auto scalesAt = [&](ArrayRef<Pointer> rows, Number index) {
    return llvm::map_to_vector(rows, [&](Pointer row) { return block.loadScales(row, index); });
  };
  auto zerosAt = [&](ArrayRef<Pointer> rows, Number index) {
    return llvm::map_to_vector(rows, [&](Pointer row) { return block.loadZeros(row, index); });
  };
  int64_t scaleBytes = block.scales() && !hasByteScales(storage) ? block.scales() * bytesOf(scale) * shape.columns : 0;
  SmallVector<Pointer> next;
  for (int64_t n = 0; n < shape.columns; ++n) {
    Number place = ahead + apart * n;
    Number beyond = select(distance == nowhere, b.integer(0), place + distance); // nothing to ask for: this row again
    next.push_back(weightRows[0].plusBytes(select(place < bytesLeft, place, beyond)));
  }
  Pointer nextScales;
  if (scaleBytes)
    nextScales = scaleRows[0].plusBytes(apart / block.bytesOf(step) * scaleBytes); // in order, and beyond the end: they are few
  // What must be unpacked is used so slowly that it would not stay in the first-level cache until then.
  int cacheLevel = storage.isQuantized ? 2 : 1;
  auto stepAt = [&](Number k, ArrayRef<Number> before) {
    SmallVector<Number> after(before);
    if (shape.isFirst)
      for (Pointer row : next)
        row.plusBytes(k * block.bytesOf(step)).prefetch(cacheLevel);
    if (shape.isFirst && scaleBytes)
      nextScales.plusBytes(k * scaleBytes).prefetch(cacheLevel);
    accumulate(after, movedBy(activationRows, k * blockActivations), movedBy(weightRows, k * blockElements), scalesAt(scaleRows, k),
               zerosAt(zeroRows, k));
    return after;
  };
  SmallVector<Number> nothing(shape.rows * shape.columns, b.zero(b.lanes));
  SmallVector<Number> sums = b.forRange(b.integer(0), steps, 1, nothing, stepAt);
  if (tail) {
    ArrayRef<Number> rest = arguments.drop_front(10 + storage.isQuantized + bool(storage.scale) + storage.hasZeros);
    SmallVector<Pointer> tailRows, tailScales, tailZeros;
    for (int64_t n = 0; n < shape.columns; ++n) {
      tailRows.push_back(b.pointer(rest[0], memory) + n * blockElements);
      if (block.scales() && !hasByteScales(storage))
        tailScales.push_back(b.pointer(rest[1], scale) + n * block.scales());
      if (block.scales() && storage.hasZeros)
        tailZeros.push_back(b.pointer(rest.back(), b.i8) + n * block.scales());
    }
    SmallVector<Number> scales = tailScales.empty() ? scalesAt(scaleRows, steps) : scalesAt(tailScales, b.integer(0));
    SmallVector<Number> zeros = block.scales() ? zerosAt(tailZeros, b.integer(0)) : zerosAt(zeroRows, steps);
    accumulate(sums, movedBy(activationRows, steps * blockActivations), tailRows, scales, zeros);
  }

  for (size_t first = 0; first < sums.size();) {
    size_t count = std::min<size_t>(llvm::bit_floor(sums.size() - first), b.lanes);
    Number group = sumsOfLanes(ArrayRef(sums).slice(first, count));
    int64_t run = std::min<int64_t>(count, shape.columns);
    for (size_t i = 0; i < count; i += run) {
      SmallVector<int64_t> lanes(run);
      std::iota(lanes.begin(), lanes.end(), int64_t(i));
      int64_t m = (first + i) / shape.columns, n = (first + i) % shape.columns;
      Number products = group.shuffle(group, lanes);
      if (storage.isQuantized)
        products = products * (rows.factors + n).load(run);
      if (fixedPoint)
        products = products * fixedPoint->scale(activations.plusBytes(rowBytes * m)).splat(run);
      (result + (resultWidth * m + n)).store(products);
    }
    first += count;
  }
}
