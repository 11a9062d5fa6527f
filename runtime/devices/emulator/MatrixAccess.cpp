// ldmatrix, stmatrix, movmatrix: 8x8 matrices of 16-bit elements between shared memory and the threads of a warp.
#include "runtime/devices/emulator/MatrixAccess.h"

#include "runtime/devices/emulator/Access.h"
#include "runtime/devices/emulator/Decoder.h"
#include "runtime/devices/emulator/Members.h"

#include <utility>

using namespace moec::runtime::emulator;

namespace {
constexpr unsigned size = 8; ///< rows and columns

/// Row and column of element k (0 or 1) that a lane holds.
std::pair<unsigned, unsigned> heldBy(unsigned lane, unsigned k, bool transposed) {
  unsigned row = lane / 4, column = 2 * (lane % 4) + k;
  return transposed ? std::pair(column, row) : std::pair(row, column);
}

/// Lane 8 m + r holds the address of row r of matrix m.
Access rowsOf(Warp &warp, const Instruction &i, AccessKind kind) {
  Access access = accessOf(warp, i, 0, kind);
  access.bytes = access.alignment = size * sizeof(uint16_t);
  if (unsigned lanes = size * i.elements; lanes < laneCount)
    access.lanes &= (LaneMask(1) << lanes) - 1;
  if (LaneMask unknown = access.lanes & ~warp.writtenLanes(i, 0))
    warp.report(ReportKind::uninitialised, unsigned(std::countr_zero(unknown)), "the address has not been written");
  return access;
}

/// `mode` says whether the matrices are transposed on the way.
void loadMatrices(Warp &warp, const Instruction &i) {
  checkWholeWarp(warp);
  Access access = rowsOf(warp, i, AccessKind::load);
  Staging rows;
  load(warp, access, rows);
  for (unsigned matrix = 0; matrix < i.elements; ++matrix) {
    uint32_t words[laneCount];
    for (unsigned lane = 0; lane < laneCount; ++lane) {
      uint16_t pair[2];
      for (unsigned k = 0; k < 2; ++k) {
        auto [row, column] = heldBy(lane, k, i.mode);
        std::memcpy(&pair[k], rows[size * matrix + row] + column * sizeof(uint16_t), sizeof(uint16_t));
      }
      words[lane] = uint32_t(pair[1]) << 16 | pair[0];
    }
    warp.write(i, matrix, words);
    warp.setWritten(i, matrix, allLanes);
  }
}

void storeMatrices(Warp &warp, const Instruction &i) {
  checkWholeWarp(warp);
  Access access = rowsOf(warp, i, AccessKind::store);
  Staging rows;
  LaneMask known = allLanes;
  for (unsigned matrix = 0; matrix < i.elements; ++matrix) {
    const uint32_t *words = warp.source<uint32_t>(i, 1 + matrix);
    for (unsigned lane = 0; lane < laneCount; ++lane)
      for (unsigned k = 0; k < 2; ++k) {
        auto [row, column] = heldBy(lane, k, i.mode);
        uint16_t element = uint16_t(words[lane] >> 16 * k);
        std::memcpy(rows[size * matrix + row] + column * sizeof(uint16_t), &element, sizeof element);
        if (!(warp.writtenLanes(i, 1 + matrix) >> lane & 1))
          known &= ~(LaneMask(1) << (size * matrix + row));
      }
  }
  store(warp, access, rows, known);
}

void transpose(Warp &warp, const Instruction &i) {
  checkWholeWarp(warp);
  const uint32_t *words = warp.source<uint32_t>(i, 0);
  uint16_t matrix[size][size];
  for (unsigned lane = 0; lane < laneCount; ++lane)
    for (unsigned k = 0; k < 2; ++k) {
      auto [row, column] = heldBy(lane, k, false);
      matrix[row][column] = uint16_t(words[lane] >> 16 * k);
    }
  uint32_t results[laneCount] = {};
  for (unsigned lane = 0; lane < laneCount; ++lane)
    for (unsigned k = 0; k < 2; ++k) {
      auto [row, column] = heldBy(lane, k, true);
      results[lane] |= uint32_t(matrix[row][column]) << 16 * k;
    }
  warp.write(i, 0, results);
  warp.setWritten(i, 0, warp.known == allLanes ? allLanes : 0);
}

/// .sync.aligned.m8n8.xN{.trans}.shared.b16
unsigned takeShape(Decoder &d) {
  d.takeOne({"sync"});
  d.take("aligned");
  d.takeOne({"m8n8"});
  constexpr unsigned counts[] = {1, 2, 4};
  unsigned count = counts[d.takeOne({"x1", "x2", "x4"})];
  d.instruction.mode = d.take("trans");
  d.instruction.space = d.takeSpace(Space::generic);
  if (d.takeType() != Type::b16)
    d.fail("expected .b16");
  d.instruction.bytes = size * sizeof(uint16_t);
  d.instruction.elements = uint8_t(count);
  d.expectOperands(2, 2);
  return count;
}

const std::vector<SyntaxOperand> &wordsOf(Decoder &d, size_t k, unsigned count) {
  const std::vector<SyntaxOperand> &words = d.syntax(k).elements;
  if (words.size() != count)
    d.fail("expected " + std::to_string(count) + " elements");
  return words;
}
} // namespace

void moec::runtime::emulator::decodeLoadMatrix(Decoder &d) {
  unsigned count = takeShape(d);
  for (const SyntaxOperand &word : wordsOf(d, 0, count))
    d.result(word, Type::b32);
  d.address(1);
  d.instruction.strict = 0; // lanes whose address is not used need none
  d.instruction.ownShadow = true;
  d.executeWith(&loadMatrices);
}

void moec::runtime::emulator::decodeStoreMatrix(Decoder &d) {
  unsigned count = takeShape(d);
  d.address(0);
  for (const SyntaxOperand &word : wordsOf(d, 1, count))
    d.source(word, Type::b32);
  d.instruction.strict = 0;
  d.executeWith(&storeMatrices);
}

void moec::runtime::emulator::decodeTranspose(Decoder &d) {
  d.takeOne({"sync"});
  d.take("aligned");
  d.takeOne({"m8n8"});
  d.takeOne({"trans"});
  if (d.takeType() != Type::b16)
    d.fail("expected .b16");
  d.expectOperands(2, 2);
  d.result(0, Type::b32);
  d.source(1, Type::b32);
  d.instruction.ownShadow = true;
  d.executeWith(&transpose);
}
