// Each kind of report: a kernel that causes it, and its twin that does not.
#include "test/runtime/emulator/Kernel.h"

#include <gtest/gtest.h>

using namespace moec::runtime::emulator;
using namespace moec::test;

namespace {
const std::string tile = ".shared .align 16 .b8 tile[4096];";
/// %r5: the address of the thread's word of shared memory; %r6: that of the next thread's.
const std::string words = R"(
    mov.b32 %r4, tile;
    mad.lo.u32 %r5, %r0, 4, %r4;
    xor.b32 %r6, %r0, 32;
    mad.lo.u32 %r6, %r6, 4, %r4;
)";

KernelRun run(const std::string &body, const Shape &shape = {{1}, {64}}) {
  return Buffers().in(std::vector<int>(1024)).run(kernelText(words + body, tile, 1), shape);
}

#define EXPECT_CLEAN(...)                                                                                                          \
  do {                                                                                                                             \
    KernelRun result = __VA_ARGS__;                                                                                                \
    EXPECT_TRUE(result.status.ok()) << result.status.message();                                                                    \
  } while (false)
#define EXPECT_ONLY(kind, ...)                                                                                                     \
  do {                                                                                                                             \
    KernelRun result = __VA_ARGS__;                                                                                                \
    EXPECT_TRUE(result.only(ReportKind::kind)) << result.status.message();                                                         \
  } while (false)
} // namespace

TEST(EmulatorReport, NamesKernelLineBlockAndThread) {
  KernelRun result = run("setp.eq.u32 %p1, %r0, 33;\n@%p1 st.global.b32 [%rd0+4096], %r0;", {{2}, {64}});
  ASSERT_EQ(result.reports.size(), 1u);
  const Report &report = result.reports[0];
  EXPECT_EQ(report.kind, ReportKind::outOfBounds);
  EXPECT_EQ(report.kernel, "k");
  EXPECT_EQ(report.text, "@%p1 st.global.b32 [%rd0+4096], %r0;");
  EXPECT_EQ(report.line, 21u);
  EXPECT_EQ(report.thread.x, 33u);
  EXPECT_EQ(report.count, 2u);
  EXPECT_EQ(result.status.message().find(
                "k: line 21 '@%p1 st.global.b32 [%rd0+4096], %r0;': block (0,0,0) thread (33,0,0): out of bounds: 4 bytes at 0x"),
            0u)
      << result.status.message();
}

TEST(EmulatorReport, RaceInSharedMemory) {
  const std::string write = "st.shared.b32 [%r5], %r0;\n", read = "ld.shared.b32 %r7, [%r6];\n", barrier = "bar.sync 0;\n";
  EXPECT_ONLY(race, run("st.shared.b32 [%r5], %r0;\nbar.sync 0;\n" + read + write)); // a read, then a write without a barrier
  EXPECT_ONLY(race,
              run(write + barrier + "st.shared.b32 [%r6], %r0;\nld.shared.b32 %r7, [%r5];\n")); // a write, then a read of another's
  EXPECT_CLEAN(run(write + barrier + read + barrier + write));
}

TEST(EmulatorReport, RaceWithinAWarp) {
  const std::string write = "mov.b32 %r7, 1;\nst.shared.b32 [%r5], %r7;\n";
  const std::string read = "xor.b32 %r6, %r0, 1;\nmad.lo.u32 %r6, %r6, 4, %r4;\nld.shared.b32 %r8, [%r6];\n";
  EXPECT_ONLY(race, run(write + read));
  EXPECT_CLEAN(run(write + "bar.warp.sync -1;\n" + read));
  // Threads that store different values to one word with one instruction.
  EXPECT_ONLY(race, run("st.shared.b32 [%r4], %r0;\n", {{1}, {32}}));
  EXPECT_CLEAN(run("st.shared.b32 [%r4], %r1;\n", {{1}, {32}}));
}

// Elements of 2 bytes share words, and still belong to different threads.
TEST(EmulatorReport, NeighboursInAWordAreNoRace) {
  EXPECT_CLEAN(run(R"(
    mad.lo.u32 %r5, %r0, 2, %r4;
    cvt.u16.u32 %rs1, %r0;
    st.shared.b16 [%r5], %rs1;
    ld.shared.b16 %rs2, [%r5];)"));
}

TEST(EmulatorReport, NamedBarriersOrderTheirWarpsAlone) {
  // Warps 0 and 1 meet at barrier 1; warp 2 does not.
  auto body = [](const std::string &reader) {
    return R"(
    shr.u32 %r9, %r0, 5;
    setp.eq.u32 %p1, %r9, 0;
    setp.le.u32 %p2, %r9, 1;
    @%p1 st.shared.b32 [%r5], %r0;
    @%p2 bar.sync 1, 64;
    setp.eq.u32 %p3, %r9, )" +
           reader + R"(;
    and.b32 %r10, %r0, 31;
    mad.lo.u32 %r10, %r10, 4, %r4;
    @%p3 ld.shared.b32 %r7, [%r10];)";
  };
  EXPECT_CLEAN(run(body("1"), {{1}, {96}}));
  EXPECT_ONLY(race, run(body("2"), {{1}, {96}}));
}

TEST(EmulatorReport, RaceBetweenBlocks) {
  EXPECT_ONLY(race, run("setp.eq.u32 %p1, %r0, 0;\n@%p1 st.global.b32 [%rd0], %r1;", {{4}, {32}}));
  EXPECT_CLEAN(run("setp.eq.u32 %p1, %r0, 0;\n@%p1 red.global.add.u32 [%rd0], %r1;", {{4}, {32}}));
  EXPECT_CLEAN(run("setp.eq.u32 %p1, %r0, 0;\nmad.wide.u32 %rd5, %r1, 4, %rd0;\n@%p1 st.global.b32 [%rd5], %r1;", {{4}, {32}}));
}

TEST(EmulatorReport, AsyncCopyReadTooEarly) {
  auto body = [](const std::string &wait, const std::string &read) {
    return "cvt.u64.u32 %rd6, %r0;\nmad.wide.u32 %rd5, %r0, 4, %rd0;\ncp.async.ca.shared.global [%r5], [%rd5], "
           "4;\ncp.async.commit_group;\n" +
           wait + read;
  };
  const std::string own = "ld.shared.b32 %r7, [%r5];\n", other = "ld.shared.b32 %r7, [%r6];\n";
  EXPECT_ONLY(earlyRead, run(body("", own)));
  EXPECT_ONLY(earlyRead, run(body("cp.async.wait_group 1;\n", own)));
  EXPECT_CLEAN(run(body("cp.async.wait_group 0;\n", own)));
  EXPECT_CLEAN(run(body("cp.async.wait_all;\nbar.sync 0;\n", other)));
  EXPECT_TRUE(run(body("cp.async.wait_all;\n", other)).has(ReportKind::race));
}

// Of two groups in flight the older one lands first.
TEST(EmulatorReport, GroupsLandInOrder) {
  EXPECT_CLEAN(run(R"(
    mad.wide.u32 %rd5, %r0, 4, %rd0;
    cp.async.ca.shared.global [%r5], [%rd5], 4;
    cp.async.commit_group;
    cp.async.ca.shared.global [%r5+1024], [%rd5], 4;
    cp.async.commit_group;
    cp.async.wait_group 1;
    ld.shared.b32 %r7, [%r5];
    cp.async.wait_group 0;
    ld.shared.b32 %r7, [%r5+1024];)"));
}

// What is not read from the source becomes zero.
TEST(EmulatorReport, AsyncCopyFillsWithZeros) {
  EXPECT_CLEAN(run(R"(
    mov.b64 %rd5, 0;
    mov.b32 %r9, 0;
    cp.async.ca.shared.global [%r5], [%rd5], 4, %r9;
    cp.async.wait_all;
    ld.shared.b32 %r7, [%r5];
    setp.ne.u32 %p1, %r7, 0;
    @%p1 trap;)"));
}

TEST(EmulatorReport, PhaseBarriersOrderTheirWaiters) {
  auto body = [](const std::string &count, const std::string &wait) {
    return "setp.eq.u32 %p1, %r0, 0;\n@%p1 mbarrier.init.shared.b64 [tile+2048], " + count + R"(;
    bar.sync 0;
    mad.wide.u32 %rd5, %r0, 4, %rd0;
    cp.async.ca.shared.global [%r5], [%rd5], 4;
    cp.async.mbarrier.arrive.noinc.shared.b64 [tile+2048];
)" + wait + "ld.shared.b32 %r7, [%r6];";
  };
  const std::string tries = "$wait:\nmbarrier.try_wait.parity.shared.b64 %p2, [tile+2048], 0;\n@!%p2 bra $wait;\n";
  const std::string tests = "$wait:\nmbarrier.test_wait.parity.shared.b64 %p2, [tile+2048], 0;\n@!%p2 bra $wait;\n";
  EXPECT_CLEAN(run(body("64", tries)));
  EXPECT_CLEAN(run(body("64", tests)));
  EXPECT_TRUE(run(body("64", "")).has(ReportKind::race));
  EXPECT_ONLY(deadlock, run(body("65", tries)));
  EXPECT_ONLY(deadlock, run(body("65", tests)));
}

// Arrivals without copies: tokens, counts, and a barrier used for several phases.
TEST(EmulatorReport, PhasesFollowEachOther) {
  EXPECT_CLEAN(run(R"(
    setp.eq.u32 %p1, %r0, 0;
    @%p1 mbarrier.init.shared::cta.b64 [tile+2048], 64;
    bar.sync 0;
    st.shared.b32 [%r5], %r0;
    mbarrier.arrive.shared.b64 %rd6, [tile+2048];
$first:
    mbarrier.test_wait.shared.b64 %p2, [tile+2048], %rd6;
    @!%p2 bra $first;
    ld.shared.b32 %r7, [%r6];
    mbarrier.arrive.release.cta.shared::cta.b64 _, [tile+2048], 1;
$second:
    mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 %p2, [tile+2048], 1;
    @!%p2 bra $second;
    st.shared.b32 [%r5], %r7;)"));
}

TEST(EmulatorReport, OutOfBounds) {
  EXPECT_ONLY(outOfBounds, run("ld.global.b32 %r7, [%rd0+4096];"));
  EXPECT_ONLY(outOfBounds, run("ld.global.b32 %r7, [%rd0+-4];"));
  EXPECT_ONLY(outOfBounds, run("st.shared.b32 [tile+4096], %r0;"));
  EXPECT_ONLY(outOfBounds, run("mov.b64 %rd5, 16;\nld.global.b32 %r7, [%rd5];"));
  EXPECT_CLEAN(run("ld.global.b32 %r7, [%rd0+4092];"));
}

// The last lane reads beyond the end of what the others read: it alone is reported.
TEST(EmulatorReport, OutOfBoundsInTheLastLane) {
  const std::string read = "mad.wide.u32 %rd5, %r0, 4, %rd0;\nld.global.b32 %r7, [%rd5];";
  KernelRun result = Buffers().in(std::vector<int>(31)).run(kernelText(read, "", 1));
  ASSERT_EQ(result.reports.size(), 1u) << result.status.message();
  EXPECT_EQ(result.reports[0].kind, ReportKind::outOfBounds);
  EXPECT_EQ(result.reports[0].thread.x, 31u);
  EXPECT_EQ(result.reports[0].count, 1u);
  EXPECT_EQ(result.counters.globalBytesLoaded, 124u);
}

TEST(EmulatorReport, Misaligned) {
  EXPECT_ONLY(misaligned, run("ld.global.b32 %r7, [%rd0+2];"));
  EXPECT_ONLY(misaligned, run("ld.global.v2.b32 {%r7, %r8}, [%rd0+4];"));
  EXPECT_CLEAN(run("ld.global.v2.b32 {%r7, %r8}, [%rd0+8];"));
}

TEST(EmulatorReport, Uninitialised) {
  EXPECT_ONLY(uninitialised, run("ld.shared.b32 %r7, [%r5];"));
  EXPECT_ONLY(uninitialised, run("st.shared.b32 [%r5], %r30;\nld.shared.b32 %r7, [%r5];"));
  EXPECT_ONLY(uninitialised, run("add.s32 %r31, %r30, 1;\nst.global.b32 [%rd0], %r31;"));
  EXPECT_ONLY(uninitialised, run("@%p5 mov.b32 %r7, 1;"));
  EXPECT_ONLY(uninitialised, run("setp.eq.s32 %p1, %r30, 0;\n@%p1 bra $end;\nmov.b32 %r7, 1;\n$end:"));
  EXPECT_CLEAN(run("mov.b32 %r31, %r30;\nmov.b32 %r31, 0;\nst.shared.b32 [%r5], %r31;")); // what is not used harms nobody
  Buffers fresh;
  EXPECT_ONLY(uninitialised, fresh.out(128).run(kernelText("ld.global.b32 %r7, [%rd0];", "", 1)));
}

TEST(EmulatorReport, ReadOnly) {
  Buffers buffers;
  buffers.in(std::vector<int>(32), Contents::readOnly);
  EXPECT_ONLY(readOnly, buffers.run(kernelText("st.global.b32 [%rd0], %r0;", "", 1)));
  EXPECT_CLEAN(buffers.run(kernelText("ld.global.nc.b32 %r2, [%rd0];", "", 1)));
}

TEST(EmulatorReport, Divergence) {
  const std::string half = "setp.lt.u32 %p1, %r0, 40;\n";
  EXPECT_ONLY(divergent, run(half + "@%p1 bar.sync 0;"));
  EXPECT_ONLY(divergent, run(half + "@%p1 exit;\nbar.sync 0;"));
  EXPECT_ONLY(divergent, run(half + "@%p1 shfl.sync.idx.b32 %r7, %r0, 0, 31, -1;"));
  EXPECT_ONLY(divergent, run(half + "@%p1 vote.sync.ballot.b32 %r7, %p1, -1;"));
  EXPECT_ONLY(divergent, run(half + "@%p1 bar.warp.sync -1;"));
  EXPECT_CLEAN(run("setp.lt.u32 %p1, %r0, 32;\n@%p1 shfl.sync.idx.b32 %r7, %r0, 0, 31, -1;\nbar.sync 0;"));
  EXPECT_CLEAN(run("setp.lt.u32 %p1, %r0, 16;\n@%p1 shfl.sync.idx.b32 %r7, %r0, 0, 31, 0xffff;", {{1}, {32}}));
}

TEST(EmulatorReport, Deadlock) {
  EXPECT_ONLY(deadlock, run("setp.lt.u32 %p1, %r0, 32;\n@%p1 bar.sync 0;"));
  EXPECT_ONLY(deadlock, run("bar.sync 1, 64;", {{1}, {96}}));
  EXPECT_CLEAN(run("bar.sync 1, 64;", {{1}, {128}}));
  EXPECT_ONLY(deadlock, run("$forever:\nbra $forever;", {{1}, {32}}));
  EXPECT_CLEAN(run("setp.lt.u32 %p1, %r0, 32;\n@%p1 bar.sync 0;\n@!%p1 bar.sync 0;"));
}

TEST(EmulatorReport, Trap) {
  EXPECT_ONLY(trap, run("trap;"));
  EXPECT_CLEAN(run("setp.gt.u32 %p1, %r0, 1000;\n@%p1 trap;"));
}

TEST(EmulatorReport, RefusesLaunches) {
  auto message = [](const Shape &shape) {
    return Buffers().in(std::vector<int>(1)).run(kernelText("", ".shared .b8 x[16];", 1), shape).status.message();
  };
  EXPECT_EQ(message({{1}, {2048}}), "k: expected 1 to 1024 threads in a block, got 2048x1x1");
  EXPECT_EQ(message({{0}, {32}}), "k: expected a grid of at least one block and at most 2147483647x65535x65535, got 0x1x1");
  EXPECT_EQ(message({{1}, {32}, 300000}), "k: expected at most 262144 bytes of shared memory, got 300000");
}
