// The kernels that measure a GPU, as PTX.
#include "tools/moe-bench/GpuKernels.h"

using namespace moec::bench;

namespace {
/// `times` copies of `pattern`, with the copy's number in place of each '#'.
std::string repeated(int times, const std::string &pattern) {
  std::string text;
  for (int i = 0; i < times; ++i)
    for (char c : pattern)
      text += c == '#' ? std::to_string(i) : std::string(1, c);
  return text;
}

/// A kernel that does `round` so many times. %from is where the thread's block begins to read, %thread its number.
std::string kernel(const char *target, int rounds, const std::string &before, const std::string &round, const std::string &after,
                   uint64_t bytesPerBlock = 0) {
  return std::string(".version 7.0\n.target ") + target + R"(
.address_size 64
.visible .entry measure(.param .u64 source, .param .u64 result)
{
  .reg .b32 %thread, %block, %round, %a<4>, %b<4>, %sum, %w<4>, %x<4>, %y<4>, %z<4>;
  .reg .f32 %c<32>, %d<32>, %e<32>, %f<32>, %factor, %total;
  .reg .b64 %from, %to, %offset;
  .reg .pred %again, %never;
  ld.param.u64 %from, [source];
  ld.param.u64 %to, [result];
  mov.u32 %thread, %tid.x;
  mov.u32 %block, %ctaid.x;
  mul.wide.u32 %offset, %block, )" +
         std::to_string(bytesPerBlock) + R"(;
  add.u64 %from, %from, %offset;
)" + before +
         "  mov.u32 %round, " + std::to_string(rounds) + ";\nLOOP:\n" + round + R"(
  sub.u32 %round, %round, 1;
  setp.ne.u32 %again, %round, 0;
  @%again bra LOOP;
)" + after +
         "  @%never st.global.u32 [%to], %thread;\n  ret;\n}\n";
}
} // namespace

/// 256 threads read 256 KiB of zeros, four vectors each at a time.
GpuKernel moec::bench::readKernel() {
  constexpr uint64_t bytes = 256 << 10;
  std::string loads, sums;
  int offset = 0;
  for (const char *name : {"w", "x", "y", "z"}) {
    std::string r = std::string("%") + name;
    loads += "  ld.global.v4.u32 {" + r + "0, " + r + "1, " + r + "2, " + r + "3}, [%from + " + std::to_string(offset) + "];\n";
    sums += repeated(4, "  xor.b32 %sum, %sum, " + r + "#;\n");
    offset += 256 * 16;
  }
  return {kernel("sm_75", 16, "  mul.wide.u32 %offset, %thread, 16;\n  add.u64 %from, %from, %offset;\n  mov.u32 %sum, 0;\n",
                 loads + sums + "  add.u64 %from, %from, 16384;\n", "  setp.eq.u32 %never, %sum, 1;\n", bytes),
          256, bytes, bytes, 75};
}

/// 128 threads, 32 independent sums each, which begin differently lest the assembler makes one of them.
GpuKernel moec::bench::multiplyF32Kernel() {
  constexpr int rounds = 64, threads = 128, sums = 32;
  return {kernel("sm_75", rounds, "  cvt.rn.f32.u32 %factor, %thread;\n" + repeated(sums, "  mov.b32 %c#, #;\n"),
                 repeated(sums, "  fma.rn.f32 %c#, %factor, %factor, %c#;\n"),
                 "  mov.f32 %total, 0f00000000;\n" + repeated(sums, "  add.f32 %total, %total, %c#;\n") +
                     "  setp.lt.f32 %never, %total, 0f00000000;\n"),
          threads, uint64_t(rounds) * threads * sums * 2, 0, 75};
}

/// Four warps, eight independent tiles of 16 x 8 each.
GpuKernel moec::bench::multiplyBf16Kernel() {
  constexpr int rounds = 64, warps = 4, tiles = 8;
  return {
      kernel("sm_80", rounds,
             repeated(4, "  mov.b32 %a#, 0x3f803f80;\n") + repeated(2, "  mov.b32 %b#, 0x3f803f80;\n") +
                 repeated(tiles, "  mov.b32 %c#, #;\n  mov.b32 %d#, #;\n  mov.b32 %e#, #;\n"
                                 "  mov.b32 %f#, #;\n"),
             repeated(tiles, "  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%c#, %d#, %e#, %f#}, {%a0, %a1, %a2, %a3}, "
                             "{%b0, %b1}, {%c#, %d#, %e#, %f#};\n"),
             "  mov.f32 %total, 0f00000000;\n" +
                 repeated(tiles, "  add.f32 %total, %total, %c#;\n  add.f32 %total, %total, %d#;\n  add.f32 %total, %total, %e#;\n"
                                 "  add.f32 %total, %total, %f#;\n") +
                 "  setp.lt.f32 %never, %total, 0f00000000;\n"),
      32 * warps, uint64_t(rounds) * warps * tiles * 16 * 8 * 16 * 2, 0, 80};
}
