// Blocks that learn from each other and wait for each other: what orders them, what does not, and who waits for ever.
#include "test/runtime/emulator/Kernel.h"

#include <gtest/gtest.h>

using namespace moec::runtime::emulator;
using namespace moec::test;

namespace {
/// On one thread of the host and on two, which must find the same kinds of mistakes, if any.
std::vector<KernelRun> run(const std::string &body, Shape shape, size_t words = 1024) {
  std::vector<KernelRun> results;
  for (int threads : {1, 2}) {
    shape.threads = threads;
    results.push_back(Buffers().in(std::vector<int>(words)).run(kernelText(body, ".shared .align 16 .b8 tile[16];", 1), shape));
  }
  return results;
}

/// What a kernel does about the counter at [%rd0] when it adds to it and when it reads it.
struct Counting {
  std::string before, add, after;
};

/// Each of 4 blocks writes a part and counts; the last one reads all parts. Parts start behind the counter's 16 bytes.
std::string lastReadsAll(const Counting &counting) {
  return R"(
    mad.lo.u32 %r9, %r1, 64, %r0;
    mad.wide.u32 %rd5, %r9, 4, %rd0;
    st.global.b32 [%rd5+16], %r1;
    bar.sync 0;
    setp.ne.u32 %p1, %r0, 0;
    @%p1 bra $counted;
)" + counting.before +
         "\n" + counting.add + " %r10, [%rd0], 3;\n" + counting.after + R"(
    st.shared.b32 [tile], %r10;
$counted:
    bar.sync 0;
    ld.shared.b32 %r10, [tile];
    setp.ne.u32 %p2, %r10, 3;
    @%p2 bra $end;
    mad.wide.u32 %rd6, %r0, 4, %rd0;
    ld.global.b32 %r11, [%rd6+16];
    ld.global.b32 %r11, [%rd6+272];
    ld.global.b32 %r11, [%rd6+528];
    ld.global.b32 %r11, [%rd6+784];
$end:)";
}

/// A barrier of the grid in three phases: each block writes its part, meets the others, and reads the next block's part.
struct GridBarrier {
  std::string meetBefore = "bar.sync 0;", fenceBefore = "", add = "red.release.gpu.global.add.u32",
              wait = "ld.acquire.gpu.global.b32", fenceAfter = "", meetAfter = "bar.sync 0;";
  std::string expected = "%r5"; ///< arrivals that end a phase: blocks times phases
  std::string ifWrong = "trap"; ///< what to do when the part is not what it should be

  std::string body() const {
    return R"(
    mov.u32 %r2, %nctaid.x;
    mov.u32 %r3, 0;
    mov.u32 %r5, 0;
    add.u32 %r6, %r1, 1;
    rem.u32 %r6, %r6, %r2;
$phase:
    add.u32 %r5, %r5, %r2;
    mad.lo.u32 %r9, %r3, %r2, %r1;
    mad.lo.u32 %r9, %r9, 64, %r0;
    mad.wide.u32 %rd5, %r9, 4, %rd0;
    st.global.b32 [%rd5+16], %r1;
    )" + meetBefore +
           R"(
    setp.ne.u32 %p1, %r0, 0;
    @%p1 bra $met;
    )" + fenceBefore +
           "\n    " + add + " [%rd0], 1;\n$wait:\n    " + wait + " %r10, [%rd0];\n    setp.lt.u32 %p2, %r10, " + expected +
           ";\n    @%p2 bra $wait;\n    " + fenceAfter + R"(
$met:
    )" + meetAfter +
           R"(
    mad.lo.u32 %r9, %r3, %r2, %r6;
    mad.lo.u32 %r9, %r9, 64, %r0;
    mad.wide.u32 %rd5, %r9, 4, %rd0;
    ld.global.b32 %r11, [%rd5+16];
    setp.ne.u32 %p3, %r11, %r6;
    @%p3 )" +
           ifWrong + R"(;
    add.u32 %r3, %r3, 1;
    setp.lt.u32 %p4, %r3, 3;
    @%p4 bra $phase;)";
  }
};

std::vector<KernelRun> meet(const GridBarrier &barrier, unsigned blocks = 4, bool cooperative = true) {
  Shape shape{{blocks}, {64}};
  shape.cooperative = cooperative;
  return run(barrier.body(), shape, size_t(blocks) * 64 * 3 + 4);
}

void expectClean(const std::vector<KernelRun> &results) {
  for (const KernelRun &result : results)
    EXPECT_TRUE(result.status.ok()) << result.status.message();
}
void expectOnly(ReportKind kind, const std::vector<KernelRun> &results) {
  for (const KernelRun &result : results)
    EXPECT_TRUE(result.only(kind)) << "expected only: " << nameOf(kind) << ", got: " << result.status.message();
}
} // namespace

// Each side may order by a fence or by its operation; a side that does neither orders nothing.
TEST(EmulatorGrid, LastBlockReadsWhatOthersReleased) {
  auto last = [](const std::string &before, const std::string &add, const std::string &after) {
    return run(lastReadsAll({before, add, after}), {{4}, {64}});
  };
  const std::string relaxed = "atom.global.inc.u32";
  expectClean(last("membar.gl;", relaxed, "membar.gl;"));
  expectClean(last("fence.acq_rel.gpu;", relaxed, "fence.sc.gpu;"));
  expectClean(last("", "atom.acq_rel.gpu.global.inc.u32", ""));
  expectClean(last("fence.acq_rel.gpu;", "atom.acquire.gpu.global.inc.u32", ""));
  expectClean(last("", "atom.release.sys.global.inc.u32", "fence.acq_rel.gpu;"));
  expectOnly(ReportKind::race, last("", relaxed, ""));
  expectOnly(ReportKind::race, last("membar.gl;", relaxed, ""));
  expectOnly(ReportKind::race, last("", relaxed, "membar.gl;"));
  expectOnly(ReportKind::race, last("", "atom.acquire.gpu.global.inc.u32", ""));
  expectOnly(ReportKind::race, last("", "atom.release.gpu.global.inc.u32", ""));
  expectOnly(ReportKind::race, last("membar.cta;", relaxed, "membar.cta;")); // of a scope that holds one block
}

TEST(EmulatorGrid, BarriersOfTheGridOrderItsBlocks) {
  expectClean(meet({}));
  expectClean(meet({}, 150));
  expectClean(
      meet({.add = "red.release.gpu.global.add.u32", .wait = "ld.relaxed.gpu.global.b32", .fenceAfter = "fence.acq_rel.gpu;"}));
  expectClean(meet({.fenceBefore = "membar.gl;",
                    .add = "red.relaxed.gpu.global.add.u32",
                    .wait = "ld.volatile.global.b32",
                    .fenceAfter = "membar.gl;"}));
  expectClean(meet({.add = "red.release.gpu.add.u32", .wait = "nanosleep.u32 20;\n    ld.acquire.sys.b32"}));
}

// Without a part of it the barrier does not order, whoever comes first.
TEST(EmulatorGrid, BarriersThatLackAPartRace) {
  expectOnly(ReportKind::race, meet({.add = "red.relaxed.gpu.global.add.u32"}));
  expectOnly(ReportKind::race, meet({.wait = "ld.relaxed.gpu.global.b32"}));
  expectOnly(ReportKind::race, meet({.wait = "ld.volatile.global.b32"}));
  expectOnly(ReportKind::race, meet({.meetBefore = ""}));
  expectOnly(ReportKind::race, meet({.fenceBefore = "membar.cta;", .add = "red.relaxed.gpu.global.add.u32"}));
  expectOnly(ReportKind::race, meet({.add = "red.release.cta.global.add.u32"}));
  expectOnly(ReportKind::race, meet({.meetAfter = "", .ifWrong = "brkpt"}));
  expectOnly(ReportKind::race, meet({.expected = "1", .ifWrong = "brkpt"})); // goes on with the first arrival
}

// Only a cooperative launch has all its blocks at once. (With several threads of the host a later block may be there in time.)
TEST(EmulatorGrid, BlocksMayWaitForEachOtherInCooperativeLaunches) {
  KernelRun result = meet({}, 4, false).front();
  EXPECT_TRUE(result.only(ReportKind::deadlock)) << result.status.message();
  EXPECT_NE(result.status.message().find("cooperative"), std::string::npos) << result.status.message();
  Shape shape{{4096}, {64}};
  shape.cooperative = true;
  EXPECT_EQ(run("", shape).front().status.message(), "k: expected at most 2048 blocks in a cooperative launch, got 4096");
}

// A block may wait for one that started before it, in any launch.
TEST(EmulatorGrid, BlocksMayWaitForEarlierOnes) {
  const std::string body = R"(
    setp.ne.u32 %p1, %r0, 0;
    @%p1 bra $end;
$wait:
    ld.acquire.gpu.global.b32 %r9, [%rd0];
    setp.ne.u32 %p2, %r9, %r1;
    @%p2 bra $wait;
    add.u32 %r9, %r9, 1;
    st.release.gpu.global.b32 [%rd0], %r9;
$end:)";
  expectClean(run(body, {{40}, {64}}));
}

TEST(EmulatorGrid, WaitingForNobodyIsADeadlock) {
  expectOnly(ReportKind::deadlock, meet({.expected = "1000"}));
  const std::string lock = R"(
$wait:
    atom.acquire.gpu.global.cas.b32 %r9, [%rd0+4], 0, 1;
    setp.ne.u32 %p2, %r9, 0;
    @%p2 bra $wait;)";
  Shape shape{{3}, {1}};
  shape.cooperative = true;
  expectOnly(ReportKind::deadlock, run(lock, shape)); // the first block never unlocks
  expectClean(run(lock + "st.release.gpu.global.b32 [%rd0+4], 0;", shape));
}

// One block computes for long before it arrives; the others have all the patience that it takes.
TEST(EmulatorGrid, SlowBlocksAreNoDeadlock) {
  const std::string body = R"(
    mov.u32 %r2, 0;
    setp.ne.u32 %p1, %r1, 0;
    @%p1 bra $arrive;
$compute:
    add.u32 %r2, %r2, 1;
    setp.lt.u32 %p2, %r2, 1000000;
    @%p2 bra $compute;
$arrive:
    setp.ne.u32 %p1, %r0, 0;
    @%p1 bra $end;
    red.release.gpu.global.add.u32 [%rd0], 1;
$wait:
    ld.acquire.gpu.global.b32 %r9, [%rd0];
    setp.lt.u32 %p3, %r9, 3;
    @%p3 bra $wait;
$end:)";
  Shape shape{{3}, {64}};
  shape.cooperative = true;
  expectClean(run(body, shape));
}

// A value that replaces another no longer tells what that one told; one that an atomic operation makes of it does.
TEST(EmulatorGrid, ValuesTellWhatTheirWritersReleased) {
  auto chain = [](const std::string &second) {
    return R"(
    setp.ne.u32 %p1, %r0, 0;
    @%p1 bra $end;
    setp.ne.u32 %p1, %r1, 0;
    @%p1 bra $second;
    st.global.b32 [%rd0+16], 7;
    st.release.gpu.global.b32 [%rd0], 1;
    bra $end;
$second:
    setp.ne.u32 %p1, %r1, 1;
    @%p1 bra $third;
$one:
    ld.relaxed.gpu.global.b32 %r9, [%rd0];
    setp.ne.u32 %p2, %r9, 1;
    @%p2 bra $one;
    )" + second +
           R"(
    bra $end;
$third:
    ld.acquire.gpu.global.b32 %r9, [%rd0];
    setp.ne.u32 %p2, %r9, 2;
    @%p2 bra $third;
    ld.global.b32 %r10, [%rd0+16];
$end:)";
  };
  expectClean(run(chain("red.relaxed.gpu.global.add.u32 [%rd0], 1;"), {{3}, {32}}));
  expectOnly(ReportKind::race, run(chain("st.relaxed.gpu.global.b32 [%rd0], 2;"), {{3}, {32}}));
}

// Each of 4 blocks stores its place in the order in which they run; those there at once run from the last to the first.
TEST(EmulatorGrid, LastOfBlocksThatAreThereAtOnceRunsFirst) {
  auto order = [](uint64_t blocksAtOnce) {
    Shape shape{{4}, {32}};
    shape.blocksAtOnce = blocksAtOnce;
    Buffers buffers;
    KernelRun run = buffers.in(std::vector<int>(5))
                        .run(kernelText(R"(
    setp.ne.u32 %p1, %r0, 0;
    @%p1 bra $end;
    atom.global.add.u32 %r9, [%rd0], 1;
    mad.wide.u32 %rd5, %r1, 4, %rd0;
    st.global.b32 [%rd5+4], %r9;
$end:)",
                                        "", 1),
                             shape);
    EXPECT_TRUE(run.status.ok()) << run.status.message();
    std::vector<int> places = buffers.get<int>(0);
    return std::vector<int>(places.begin() + 1, places.end());
  };
  EXPECT_EQ(order(1), (std::vector{0, 1, 2, 3}));
  EXPECT_EQ(order(3), (std::vector{2, 1, 0, 3}));
  EXPECT_EQ(order(100), (std::vector{3, 2, 1, 0}));
}

// A block that does not wait for an earlier one gets away with it if that one has run, but not if both are there.
TEST(EmulatorGrid, WhoDoesNotWaitIsFoundWhereBlocksAreThereAtOnce) {
  auto second = [](const std::string &wait, uint64_t blocksAtOnce) {
    Shape shape{{2}, {32}};
    shape.blocksAtOnce = blocksAtOnce;
    return run(R"(
    setp.ne.u32 %p1, %r0, 0;
    @%p1 bra $end;
    setp.ne.u32 %p1, %r1, 0;
    @%p1 bra $wait;
    st.global.b32 [%rd0+16], 7;
    red.release.gpu.global.add.u32 [%rd0], 1;
    bra $end;
$wait:
    ld.acquire.gpu.global.b32 %r9, [%rd0];
    setp.lt.u32 %p2, %r9, 1;
    )" + wait + R"(
    ld.global.b32 %r10, [%rd0+16];
$end:)",
               shape);
  };
  for (uint64_t blocksAtOnce : {1, 2})
    expectClean(second("@%p2 bra $wait;", blocksAtOnce));
  expectClean(second("", 1));
  std::vector<KernelRun> results = second("", 2);
  EXPECT_TRUE(results[0].only(ReportKind::race)) << results[0].status.message();
}

// A launch ends after as many reports as are wanted.
TEST(EmulatorGrid, EndsAfterEnoughReports) {
  for (auto [most, blocks] : {std::pair<uint64_t, uint64_t>(1, 1), {65, 3}, {10000, 100}}) {
    Shape shape{{100}, {32}};
    shape.mostReports = most;
    KernelRun run = Buffers().in(std::vector<int>(1)).run(kernelText("ld.global.b32 %r9, [%rd0+4];", "", 1), shape);
    EXPECT_TRUE(run.only(ReportKind::outOfBounds)) << run.status.message();
    EXPECT_EQ(run.counters.blocks, blocks) << most;
  }
}
