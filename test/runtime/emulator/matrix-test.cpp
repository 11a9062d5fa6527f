// Products of matrices against plain loops, with fragments laid out as the PTX manual draws them; ldmatrix, stmatrix, movmatrix.
#include "runtime/devices/emulator/Formats.h"
#include "test/runtime/emulator/Kernel.h"

#include <gtest/gtest.h>
#include <random>

using namespace moec::runtime::emulator;
using namespace moec::test;

namespace {
/// Row and column of element `k` of a thread's fragment of A, written out as the manual has it.
std::pair<unsigned, unsigned> placeInA(unsigned bits, unsigned lane, unsigned k) {
  unsigned group = lane >> 2, thread = lane % 4, perRegister = 32 / bits;
  unsigned row = (k / perRegister) % 2 == 0 ? group : group + 8;
  unsigned column = thread * perRegister + k % perRegister + (k >= 2 * perRegister ? 4 * perRegister : 0);
  return {row, column};
}
std::pair<unsigned, unsigned> placeInB(unsigned bits, unsigned lane, unsigned k) {
  unsigned group = lane >> 2, thread = lane % 4, perRegister = 32 / bits;
  return {thread * perRegister + k % perRegister + (k >= perRegister ? 4 * perRegister : 0), group};
}

struct Product {
  std::string types; ///< of the instruction
  unsigned depth, bits;
  bool isInteger = false, halfSum = false;
  float (*expand)(uint32_t) = nullptr;
};

float ofHalf(uint32_t bits) { return halfToFloat(uint16_t(bits)); }
float ofBfloat(uint32_t bits) { return bfloatToFloat(uint16_t(bits)); }
float ofSingle(uint32_t bits) { return std::bit_cast<float>(bits); }
float ofE4m3(uint32_t bits) { return e4m3ToFloat(uint8_t(bits)); }
float ofE5m2(uint32_t bits) { return e5m2ToFloat(uint8_t(bits)); }
float ofSigned(uint32_t bits) { return int8_t(bits); }
float ofUnsigned(uint32_t bits) { return uint8_t(bits); }

uint32_t randomElement(const Product &p, std::mt19937 &random) {
  // Small whole numbers, so that sums are exact whatever their order.
  float value = float(int(random() % 9) - 4);
  if (p.expand == ofHalf)
    return floatToHalf(value);
  if (p.expand == ofBfloat)
    return floatToBfloat(value);
  if (p.expand == ofSingle)
    return std::bit_cast<uint32_t>(value);
  if (p.expand == ofE4m3)
    return roundTo(e4m3Traits, value, Rounding::nearestEven, true);
  if (p.expand == ofE5m2)
    return roundTo(e5m2Traits, value, Rounding::nearestEven, true);
  return random() & 0xff;
}

std::string registers(const std::string &name, unsigned count) {
  std::string list = "{";
  for (unsigned k = 0; k < count; ++k)
    list += (k ? ", %" : "%") + name + std::to_string(k);
  return list + "}";
}

void check(const Product &p) {
  std::mt19937 random(1);
  unsigned perRegister = 32 / p.bits, wordsOfA = 16 * p.depth * p.bits / 1024, wordsOfB = 8 * p.depth * p.bits / 1024;
  unsigned wordsOfC = p.halfSum ? 2 : 4;
  std::vector<uint32_t> a(wordsOfA * 32), b(wordsOfB * 32), c(wordsOfC * 32);
  std::vector<std::vector<double>> A(16, std::vector<double>(p.depth)), B(p.depth, std::vector<double>(8)),
      C(16, std::vector<double>(8));
  for (unsigned lane = 0; lane < 32; ++lane) {
    for (unsigned k = 0; k < wordsOfA * perRegister; ++k) {
      uint32_t bits = randomElement(p, random);
      a[lane * wordsOfA + k / perRegister] |= bits << (k % perRegister * p.bits);
      auto [row, column] = placeInA(p.bits, lane, k);
      A[row][column] = p.expand(bits);
    }
    for (unsigned k = 0; k < wordsOfB * perRegister; ++k) {
      uint32_t bits = randomElement(p, random);
      b[lane * wordsOfB + k / perRegister] |= bits << (k % perRegister * p.bits);
      auto [row, column] = placeInB(p.bits, lane, k);
      B[row][column] = p.expand(bits);
    }
    for (unsigned k = 0; k < 4; ++k) {
      int value = int(random() % 100) - 50;
      C[(lane >> 2) + (k < 2 ? 0 : 8)][(lane % 4) * 2 + (k & 1)] = value;
      if (p.halfSum)
        c[lane * 2 + k / 2] |= uint32_t(floatToHalf(float(value))) << 16 * (k % 2);
      else
        c[lane * 4 + k] = p.isInteger ? uint32_t(value) : std::bit_cast<uint32_t>(float(value));
    }
  }
  std::string body;
  auto loads = [&](const std::string &name, unsigned words, unsigned parameter) {
    body += "mad.wide.u32 %rd10, %r0, " + std::to_string(4 * words) + ", %rd" + std::to_string(parameter) + ";\n";
    for (unsigned k = 0; k < words; ++k)
      body += "ld.global.b32 %" + name + std::to_string(k) + ", [%rd10+" + std::to_string(4 * k) + "];\n";
  };
  body = ".reg .b32 %a<4>, %b<4>, %c<4>, %d<4>;\n";
  loads("a", wordsOfA, 0);
  loads("b", wordsOfB, 1);
  loads("c", wordsOfC, 2);
  body += "mma.sync.aligned.m16n8k" + std::to_string(p.depth) + ".row.col." + p.types + " " + registers("d", wordsOfC) + ", " +
          registers("a", wordsOfA) + ", " + registers("b", wordsOfB) + ", " + registers("c", wordsOfC) + ";\n";
  body += "mad.wide.u32 %rd10, %r0, " + std::to_string(4 * wordsOfC) + ", %rd3;\n";
  for (unsigned k = 0; k < wordsOfC; ++k)
    body += "st.global.b32 [%rd10+" + std::to_string(4 * k) + "], %d" + std::to_string(k) + ";\n";
  Buffers buffers;
  buffers.in(a).in(b).in(c).out(wordsOfC * 128);
  KernelRun run = buffers.run(kernelText(body, "", 4));
  ASSERT_TRUE(run.status.ok()) << run.status.message();
  std::vector<uint32_t> d = buffers.get<uint32_t>(3);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned k = 0; k < 4; ++k) {
      unsigned row = (lane >> 2) + (k < 2 ? 0 : 8), column = (lane % 4) * 2 + (k & 1);
      double expected = C[row][column];
      for (unsigned inner = 0; inner < p.depth; ++inner)
        expected += A[row][inner] * B[inner][column];
      uint32_t word = p.halfSum ? d[lane * 2 + k / 2] >> 16 * (k % 2) : d[lane * 4 + k];
      double got = p.halfSum ? halfToFloat(uint16_t(word)) : p.isInteger ? int32_t(word) : std::bit_cast<float>(word);
      ASSERT_EQ(got, expected) << p.types << " row " << row << " column " << column;
    }
  uint64_t operations = 0;
  for (uint64_t count : run.counters.matrixOperations)
    operations += count;
  EXPECT_EQ(operations, 1u);
}

/// A matrix of 8 rows of 8 halves for each of four, at 16 bytes a row, from global to shared memory.
const std::string fillShared = R"(
    mul.wide.u32 %rd10, %r0, 16;
    add.s64 %rd11, %rd10, %rd0;
    ld.global.v4.b32 {%r10, %r11, %r12, %r13}, [%rd11];
    mov.b32 %r4, tile;
    shl.b32 %r5, %r0, 4;
    add.s32 %r5, %r5, %r4;
    st.shared.v4.b32 [%r5], {%r10, %r11, %r12, %r13};
    bar.sync 0;
)";
const std::string tile = ".shared .align 16 .b8 tile[512];";

std::vector<uint16_t> numbered() {
  std::vector<uint16_t> elements(256);
  for (size_t k = 0; k < elements.size(); ++k)
    elements[k] = uint16_t(k);
  return elements;
}
} // namespace

TEST(EmulatorMatrix, Products) {
  check({"f32.f16.f16.f32", 8, 16, false, false, ofHalf});
  check({"f32.f16.f16.f32", 16, 16, false, false, ofHalf});
  check({"f16.f16.f16.f16", 16, 16, false, true, ofHalf});
  check({"f32.bf16.bf16.f32", 8, 16, false, false, ofBfloat});
  check({"f32.bf16.bf16.f32", 16, 16, false, false, ofBfloat});
  check({"f32.tf32.tf32.f32", 4, 32, false, false, ofSingle});
  check({"f32.tf32.tf32.f32", 8, 32, false, false, ofSingle});
  check({"s32.s8.s8.s32", 16, 8, true, false, ofSigned});
  check({"s32.s8.s8.s32", 32, 8, true, false, ofSigned});
  check({"s32.u8.u8.s32", 32, 8, true, false, ofUnsigned});
  check({"f32.e4m3.e4m3.f32", 32, 8, false, false, ofE4m3});
  check({"f32.e5m2.e5m2.f32", 32, 8, false, false, ofE5m2});
}

// Thread t gets elements 2 (t % 4) and the next of row t / 4 of each matrix.
TEST(EmulatorMatrix, LoadsMatrices) {
  Buffers buffers;
  buffers.in(numbered()).out(512);
  KernelRun run = buffers.run(kernelText(fillShared + R"(
    ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r20, %r21, %r22, %r23}, [%r5];
    add.s64 %rd12, %rd10, %rd1;
    st.global.v4.b32 [%rd12], {%r20, %r21, %r22, %r23};)",
                                         tile));
  ASSERT_TRUE(run.status.ok()) << run.status.message();
  std::vector<uint16_t> got = buffers.get<uint16_t>(1);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned matrix = 0; matrix < 4; ++matrix)
      for (unsigned k = 0; k < 2; ++k)
        EXPECT_EQ(got[lane * 8 + matrix * 2 + k], matrix * 64 + lane / 4 * 8 + lane % 4 * 2 + k);
  EXPECT_EQ(run.counters.bankConflicts, 0u);
}

TEST(EmulatorMatrix, LoadsTransposed) {
  Buffers buffers;
  buffers.in(numbered()).out(256);
  KernelRun run = buffers.run(kernelText(fillShared + R"(
    ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%r20, %r21}, [%r5];
    mul.wide.u32 %rd10, %r0, 8;
    add.s64 %rd12, %rd10, %rd1;
    st.global.v2.b32 [%rd12], {%r20, %r21};)",
                                         tile));
  ASSERT_TRUE(run.status.ok()) << run.status.message();
  std::vector<uint16_t> got = buffers.get<uint16_t>(1);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned matrix = 0; matrix < 2; ++matrix)
      for (unsigned k = 0; k < 2; ++k)
        EXPECT_EQ(got[lane * 4 + matrix * 2 + k], matrix * 64 + (lane % 4 * 2 + k) * 8 + lane / 4);
}

// What is stored and loaded again, transposed both times, is what it was; movmatrix transposes registers.
TEST(EmulatorMatrix, StoresMatrices) {
  Buffers buffers;
  buffers.in(numbered()).out(128);
  KernelRun run = buffers.run(kernelText(fillShared + R"(
    ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r20}, [%r5];
    bar.warp.sync -1;
    stmatrix.sync.aligned.m8n8.x1.trans.shared.b16 [%r5], {%r20};
    bar.warp.sync -1;
    ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r21}, [%r5];
    movmatrix.sync.aligned.m8n8.trans.b16 %r22, %r21;
    setp.ne.b32 %p1, %r22, %r20;
    @%p1 trap;
    mul.wide.u32 %rd10, %r0, 4;
    add.s64 %rd12, %rd10, %rd1;
    st.global.b32 [%rd12], %r21;)",
                                         tile));
  ASSERT_TRUE(run.status.ok()) << run.status.message();
  std::vector<uint16_t> got = buffers.get<uint16_t>(1);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned k = 0; k < 2; ++k)
      EXPECT_EQ(got[lane * 2 + k], (lane % 4 * 2 + k) * 8 + lane / 4);
}

// Rows that lie 128 bytes apart all start in bank 0.
TEST(EmulatorMatrix, CountsBankConflicts) {
  Buffers buffers;
  buffers.in(numbered());
  KernelRun run = buffers.run(kernelText(R"(
    mov.b32 %r4, tile;
    shl.b32 %r5, %r0, 7;
    add.s32 %r5, %r5, %r4;
    st.shared.v4.b32 [%r5], {%r0, %r0, %r0, %r0};
    bar.sync 0;
    ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r20}, [%r5];)",
                                         ".shared .align 16 .b8 tile[4096];", 1));
  ASSERT_TRUE(run.status.ok()) << run.status.message();
  EXPECT_EQ(run.counters.bankConflicts, 4u * 7 + 7);
}

TEST(EmulatorMatrix, WantsTheWholeWarp) {
  Buffers buffers;
  buffers.in(numbered());
  KernelRun run = buffers.run(kernelText(fillShared + R"(
    setp.lt.u32 %p1, %r0, 16;
    @%p1 ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r20}, [%r5];)",
                                         tile, 1));
  EXPECT_TRUE(run.only(ReportKind::divergent)) << run.status.message();
}
