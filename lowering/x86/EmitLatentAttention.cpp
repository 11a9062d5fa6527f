// Multi-head latent attention in its two forms: expanded for many query tokens, absorbed for one.
#include "lowering/kernel/NumberFormat.h"
#include "lowering/kernel/Operands.h"
#include "lowering/x86/DotTile.h"
#include "lowering/x86/Emit.h"
#include "lowering/x86/OnlineSoftmax.h"

#include "lowering/plan/Schedule.h"

#include <numeric>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

namespace {

/// Products with the rows of one head's projection, 16 at a time.
class HeadProduct {
public:
  HeadProduct(KernelFrame &frame, Weight weight, moe::Compute compute, int64_t rows, int64_t columns, int64_t width)
      : b(frame.b), weight(weight), form(frame.b, weight.storage(), compute), columns(columns), width(width),
        activations(frame.allocate(form.activation(), form.activationElements(rows, width))),
        weightRows(WeightRows::allocate(frame, weight.storage(), columnsPerItem, width)),
        results{frame.allocate(b.f32, form.resultElements(rows, resultStride())), resultStride()} {}

  void setRow(Number row, Pointer source) { form.convertRow(source, activations.plusBytes(row * form.rowBytes(width)), width); }

  /// The first `count` rows from `firstRow` with the matrix of `head`, into rows of the results.
  void multiply(Number firstRow, Number count, Number head) {
    b.forRange(b.integer(0), b.integer(columns), columnsPerItem, [&](Number column) {
      b.forRange(columnsPerItem,
                 [&](Number i) { weightRows.set(i, weight.matrixRow(head, minimum(column + i, b.integer(columns - 1)))); });
      form.multiply(activations.plusBytes(firstRow * form.rowBytes(width)), count, weightRows, b.integer(columnsPerItem), width,
                    results.row(firstRow) + column, results.stride);
    });
  }
  Matrix result() const { return results; }

private:
  int64_t resultStride() const { return llvm::alignTo(columns, columnsPerItem); }

  KernelBuilder &b;
  Weight weight;
  DotForm form;
  int64_t columns, width;
  Pointer activations;
  WeightRows weightRows;
  Matrix results;
};

} // namespace

/// Writes `width` elements of a quantised row, dequantised.
static void loadRow(KernelBuilder &b, const Storage &storage, const WeightRow &row, int64_t width, Pointer destination) {
  int64_t lanes = storage.scale ? std::gcd(b.lanes, storage.scaleColumns) : b.lanes, whole = width - width % lanes;
  b.forRange(b.integer(0), b.integer(whole), lanes,
             [&](Number column) { (destination + column).store(loadElements(storage, row, column, lanes)); });
  b.forRange(b.integer(whole), b.integer(width), 1,
             [&](Number column) { (destination + column).store(loadElements(storage, row, column, 0)); });
}

namespace {

/// Which positions of a page rows' lists hold, page after page.
class PageMarks {
public:
  PageMarks(KernelFrame &frame, int64_t rows, int64_t listed)
      : b(frame.b), listed(listed), lists(frame.allocate(b.ptr, rows)), cursors(frame.allocate(b.i64, rows)),
        marks(frame.allocate(b.i32, rows * pageSize)) {}

  void startRow(Number row, Pointer list) {
    (lists + row).store(b.number(list.value));
    (cursors + row).store(b.integer(0));
  }
  /// Marks the positions of rows [from, end) in the page that begins at `pageStart`, which follows the last one.
  Pointer mark(Number from, Number end, Number pageStart) {
    Number one = b.integer32(1);
    b.forRange(from, end, 1, [&](Number row) {
      Pointer list = (lists + row).loadPointer(b.i32), ofRow = marks + row * pageSize;
      b.forColumns(pageSize, [&](Number column, int64_t lanes) { (ofRow + column).store(b.integer32(0).splat(lanes)); });
      auto at = [&](Number cursor) { return (list + minimum(cursor, b.integer(listed - 1))).loadIndex(); };
      auto isInPage = [&](ArrayRef<Number> cursor) {
        Number position = at(cursor[0]);
        return (cursor[0] < listed) & (position >= pageStart) & (position < pageStart + pageSize);
      };
      auto take = [&](ArrayRef<Number> cursor) {
        (ofRow + (at(cursor[0]) - pageStart)).store(one);
        return KernelBuilder::Numbers{cursor[0] + 1};
      };
      (cursors + row).store(b.repeatWhile({(cursors + row).load()}, isInPage, take)[0]);
    });
    return marks;
  }

private:
  KernelBuilder &b;
  int64_t listed;
  Pointer lists, cursors, marks;
};

} // namespace

/// Query tokens that pass over the pages together: every block expands the pages anew, so blocks are large.
static constexpr int64_t expandedRows = 512;
/// Query heads that pass over the pages together in the absorbed form.
static constexpr int64_t absorbedRows = 16;

void moec::lowering::x86::emit(KernelFrame &frame, moe::LatentAttentionOp op) {
  KernelBuilder &b = frame.b;
  LatentOperands operands(frame, op);
  LatentSizes sizes(operands, op);
  auto &[batch, cache, keyUp, valueUp, query, result, positions, listed] = operands;

  // Keys and values of one page, expanded from its latents.
  HeadProduct keyProduct(frame, keyUp, op.getCompute(), pageSize, sizes.nope, sizes.latent);
  HeadProduct valueProduct(frame, valueUp, op.getCompute(), pageSize, sizes.value, sizes.latent);
  Type keyType = op.getCompute() == moe::Compute::BF16 ? b.bf16 : b.f32;
  Matrix keys{frame.allocate(keyType, pageSize * sizes.query), sizes.query};
  WeightRows keyRows = WeightRows::allocate(frame, {keyType}, pageSize);

  DotForm form(b, {keyType}, op.getCompute());
  Pointer activations = frame.allocate(form.activation(), form.activationElements(expandedRows, sizes.query));
  OnlineSoftmax softmax(frame, expandedRows, sizes.value, op.getScale().convertToDouble());
  std::optional<PageMarks> lists;
  if (listed)
    lists.emplace(frame, expandedRows, listed);

  auto expandPage = [&](Number head, Pointer latents, Number count) {
    b.forRange(count, [&](Number i) {
      keyProduct.setRow(i, latents + i * cache.width);
      valueProduct.setRow(i, latents + i * cache.width);
    });
    keyProduct.multiply(b.integer(0), count, head);
    valueProduct.multiply(b.integer(0), count, head);
    b.forRange(count, [&](Number i) {
      Pointer key = keys.row(i), nope = keyProduct.result().row(i), rotary = latents + i * cache.width + sizes.latent;
      b.forColumns(sizes.nope, [&](Number column, int64_t lanes) { (key + column).storeF32((nope + column).load(lanes)); });
      b.forColumns(sizes.rotary,
                   [&](Number column, int64_t lanes) { (key + sizes.nope + column).storeF32((rotary + column).loadF32(lanes)); });
    });
  };

  b.forRange(pageSize, [&](Number i) { keyRows.set(i, {keys.row(i)}); });
  b.forRange(frame.begin, frame.end, 1, [&](Number item) {
    Number sequence = item / sizes.heads, head = item % sizes.heads;
    Number firstToken = (batch.starts + sequence).loadIndex();
    Number tokens = (batch.starts + sequence + 1).loadIndex() - firstToken;
    Number firstPosition = (batch.positions + firstToken).loadIndex();
    b.forRange(b.integer(0), tokens, expandedRows, [&](Number firstRow) {
      Number count = minimum(tokens - firstRow, b.integer(expandedRows)), blockPosition = firstPosition + firstRow;
      auto headAt = [&](Pointer rows, Number row, int64_t width) {
        return rows + ((firstToken + firstRow + row) * sizes.heads + head) * width;
      };
      b.forRange(count, [&](Number row) {
        softmax.startRow(row, b.integer(0), blockPosition + row);
        if (lists)
          lists->startRow(row, positions + (firstToken + firstRow + row) * listed);
        form.convertRow(headAt(query, row, sizes.query), activations.plusBytes(row * form.rowBytes(sizes.query)), sizes.query);
      });
      Number lastPosition = blockPosition + count - 1;
      b.forRange(b.integer(0), lastPosition / pageSize + 1, 1, [&](Number page) {
        Number pageStart = page * pageSize, visible = minimum(lastPosition + 1 - pageStart, b.integer(pageSize));
        expandPage(head, frame.cacheRow(cache, batch, sequence, pageStart), visible);
        Number from = maximum(pageStart - blockPosition, b.integer(0));
        form.multiply(activations.plusBytes(from * form.rowBytes(sizes.query)), count - from, keyRows, b.integer(pageSize),
                      sizes.query, softmax.scores().row(from), pageSize);
        std::optional<Pointer> marks;
        if (lists)
          marks = lists->mark(from, count, pageStart);
        softmax.takePage(from, count, pageStart, visible, valueProduct.result(), marks);
      });
      b.forRange(count, [&](Number row) {
        Pointer destination = headAt(result, row, sizes.value);
        b.forColumns(sizes.value,
                     [&](Number column, int64_t lanes) { (destination + column).store(softmax.context(row, column, lanes)); });
      });
    });
  });
}

/// How many of a list's entries are positions.
static Number lengthOf(KernelBuilder &b, Pointer list, int64_t listed) {
  return b.forRange(b.integer(0), b.integer(listed), 1, {b.integer(0)}, [&](Number i, ArrayRef<Number> before) {
    return KernelBuilder::Numbers{before[0] + ((list + i).load() >= 0).toUnsigned(b.i64)};
  })[0];
}

void moec::lowering::x86::emit(KernelFrame &frame, moe::AbsorbedAttentionOp op) {
  KernelBuilder &b = frame.b;
  LatentOperands operands(frame, op);
  LatentSizes sizes(operands, op);
  auto &[batch, cache, keyUp, valueUp, query, result, positions, listed] = operands;

  Matrix absorbed{frame.allocate(b.f32, cache.width), cache.width};
  const Storage cached{cache.base.element};
  DotForm form(b, cached, op.getCompute());
  Pointer activations = frame.allocate(form.activation(), form.activationElements(absorbedRows, cache.width));
  WeightRows cacheRows = WeightRows::allocate(frame, cached, pageSize);
  Pointer context = frame.allocate(b.f32, sizes.latent);
  OnlineSoftmax softmax(frame, absorbedRows, sizes.latent, op.getScale().convertToDouble());
  HeadProduct valueProduct(frame, valueUp, op.getCompute(), absorbedRows, sizes.value, sizes.latent);
  // With lists, pages of them take the place of the cache's: their rows, gathered.
  Matrix gathered{listed ? frame.allocate(cache.base.element, pageSize * cache.width) : Pointer(), cache.width};
  // Adds a head's query, row by row of its projection; quantised rows are dequantised first, as many at a time as the first-level
  // cache has room for, so that the sums are read and written once for all of them.
  Storage keyStorage = keyUp.storage();
  constexpr int64_t rowsAtOnce = 8;
  Matrix plainRows{keyStorage.isQuantized ? frame.allocate(b.f32, rowsAtOnce * sizes.latent) : Pointer(), sizes.latent};
  auto addHead = [&](Number head, Pointer source) {
    if (!keyStorage.isQuantized)
      return addWeightedRows(b, {source, sizes.nope}, {keyUp.row(head), sizes.latent}, b.integer(sizes.nope), absorbed,
                             b.integer(1), sizes.latent);
    b.forRange(b.integer(0), b.integer(sizes.nope), rowsAtOnce, [&](Number first) {
      Number count = minimum(b.integer(sizes.nope) - first, b.integer(rowsAtOnce));
      b.forRange(count,
                 [&](Number i) { loadRow(b, keyStorage, keyUp.matrixRow(head, first + i), sizes.latent, plainRows.row(i)); });
      addWeightedRows(b, {source + first, 1}, plainRows, count, absorbed, b.integer(1), sizes.latent);
    });
  };

  // A thread's items, token by token: heads of one token share the pages they read.
  b.forRange(frame.begin / sizes.heads, (frame.end + (sizes.heads - 1)) / sizes.heads, 1, [&](Number token) {
    Number sequence = (batch.tokenSequence + token).loadIndex();
    Number position = (batch.positions + token).loadIndex();
    Pointer list = listed ? positions + token * listed : Pointer();
    Number count = listed ? lengthOf(b, list, listed) : position + 1;
    Number firstHead = maximum(frame.begin - token * sizes.heads, b.integer(0));
    Number endHead = minimum(frame.end - token * sizes.heads, b.integer(sizes.heads));
    b.forRange(firstHead, endHead, absorbedRows, [&](Number blockHead) {
      Number heads = minimum(endHead - blockHead, b.integer(absorbedRows));
      b.forRange(heads, [&](Number row) {
        Number head = blockHead + row;
        Pointer source = query + (token * sizes.heads + head) * sizes.query;
        b.forColumns(sizes.latent, [&](Number column, int64_t lanes) { (absorbed.base + column).store(b.zero(lanes)); });
        addHead(head, source);
        b.forColumns(sizes.rotary, [&](Number column, int64_t lanes) {
          (absorbed.base + sizes.latent + column).store((source + sizes.nope + column).load(lanes));
        });
        form.convertRow(absorbed.base, activations.plusBytes(row * form.rowBytes(cache.width)), cache.width);
        softmax.startRow(row, b.integer(0), count - 1);
      });
      b.forRange(b.integer(0), count, pageSize, [&](Number pageStart) {
        Number visible = minimum(count - pageStart, b.integer(pageSize));
        Pointer latents = listed ? gathered.base : frame.cacheRow(cache, batch, sequence, pageStart);
        if (listed)
          b.forRange(visible, [&](Number i) {
            Pointer from = frame.cacheRow(cache, batch, sequence, (list + pageStart + i).loadIndex()), to = gathered.row(i);
            b.forColumns(cache.width, [&](Number column, int64_t lanes) { (to + column).store((from + column).load(lanes)); });
          });
        b.forRange(pageSize, [&](Number i) { cacheRows.set(i, {latents + i * cache.width}); });
        form.multiply(activations, heads, cacheRows, b.integer(pageSize), cache.width, softmax.scores().base, pageSize);
        softmax.takePage(b.integer(0), heads, pageStart, visible, {latents, cache.width});
      });
      b.forRange(heads, [&](Number row) {
        Number head = blockHead + row;
        b.forColumns(sizes.latent,
                     [&](Number column, int64_t lanes) { (context + column).store(softmax.context(row, column, lanes)); });
        valueProduct.setRow(b.integer(0), context);
        valueProduct.multiply(b.integer(0), b.integer(1), head);
        Pointer source = valueProduct.result().base, destination = result + (token * sizes.heads + head) * sizes.value;
        b.forColumns(sizes.value,
                     [&](Number column, int64_t lanes) { (destination + column).store((source + column).load(lanes)); });
      });
    });
  });
}
