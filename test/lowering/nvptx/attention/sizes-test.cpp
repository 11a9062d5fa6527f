// Attention of released models' sizes, and the choice of what is attended to: every chip's assembler takes them without spilling a
// register.
#include "lowering/kernel/LowerToLLVM.h"
#include "lowering/nvptx/Assembler.h"
#include "lowering/nvptx/CodeGenerator.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Program.h"

#include <gtest/gtest.h>

using namespace moec;
using namespace moec::lowering;

/// NVIDIA's assembler, which no package has; empty where it is not installed.
static std::string findAssembler() {
  llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName("ptxas");
  if (!found)
    found = llvm::sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"});
  return found ? *found : "";
}

static void expectNoSpill(const std::string &plan) {
  std::string assembler = findAssembler();
  if (assembler.empty())
    GTEST_SKIP() << "no ptxas";
  mlir::MLIRContext context;
  loadKernelDialects(context);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(plan, &context);
  ASSERT_TRUE(module) << plan;
  const nvptx::Target *target = nvptx::findTarget("sm_80");
  auto codes = nvptx::generateCode(*module, {target});
  ASSERT_TRUE(mlir::succeeded(codes));
  EXPECT_NE(codes->front().text.find("mma.sync"), std::string::npos) << "expected matrix units:\n" << plan;
  llvm::SmallVector<llvm::StringRef> chips(target->chips);
  auto assembled = nvptx::assemble(assembler, codes->front(), chips, {"k"});
  ASSERT_TRUE(bool(assembled)) << llvm::toString(assembled.takeError());
  ASSERT_EQ(assembled->size(), chips.size());
  for (const ChipCode &code : *assembled) {
    const AssembledKernel &kernel = code.kernels.front();
    EXPECT_GT(kernel.registers, 0);
    EXPECT_EQ(kernel.localBytes + kernel.spillStoreBytes + kernel.spillLoadBytes, 0) << code.chip << ":\n" << plan;
  }
}

static std::string latent(const char *op, int64_t heads, int64_t nope, int64_t rotary, int64_t value, int64_t latent,
                          int64_t listed = 0) {
  std::string lists = llvm::formatv("tensor<?x{0}xi32>", listed);
  std::string keyUp = llvm::formatv("tensor<{0}x{1}x{2}xbf16>", heads, nope, latent),
              valueUp = llvm::formatv("tensor<{0}x{1}x{2}xbf16>", heads, value, latent);
  return llvm::formatv(
      "plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64>, array<i64: 1>, array<i64: 1>{5}] {{\n"
      "^bb0(%q: tensor<?x{0}xf32>, %batch: !moe.batch, %uk: {1}, %uv: {2}{6}):\n"
      "  moe.cache @cache0 : tensor<?x{3}xbf16>\n"
      "  %o = moe.{8} %q over @cache0 at %batch{7} with %uk, %uv {{scale = 0.1 : f64, compute = #moe<compute bf16>}\n"
      "    : tensor<?x{0}xf32>, {1}, {2} -> tensor<?x{4}xf32>\n"
      "  plan.return %o : tensor<?x{4}xf32>\n}\n",
      heads * (nope + rotary), keyUp, valueUp, latent + rotary, heads * value, listed ? ", array<i64>" : "",
      listed ? ", %p: " + lists : "", listed ? " among %p (" + lists + ")" : "", op);
}

static std::string modelOf(int64_t sequences, int64_t positions) {
  return llvm::formatv("plan.model \"m\" {{vocabulary = 8 : i64, layers = 1 : i64, parameters = 1 : i64, max_sequence = {1} : i64, "
                       "max_batch = {0} : i64, page_size = 64 : i64, eos = array<i64>, compute = \"bf16\"}\n",
                       sequences, positions);
}

/// In decode, and in prefill with keys and values of the heads; both by one kernel.
static void expectLatent(int64_t heads, int64_t nope, int64_t rotary, int64_t value, int64_t width) {
  expectNoSpill(latent("absorbed_attention", heads, nope, rotary, value, width));
  expectNoSpill(modelOf(8, 4096) + latent("latent_attention", heads, nope, rotary, value, width));
}

static void expectGrouped(int64_t heads, int64_t keyHeads, int64_t dim, const char *extra = "") {
  expectNoSpill(llvm::formatv("plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64>] {{\n"
                              "^bb0(%q: tensor<?x{0}xf32>, %batch: !moe.batch):\n"
                              "  moe.cache @cache0 : tensor<?x{1}xbf16>\n  moe.cache @cache1 : tensor<?x{1}xbf16>\n"
                              "  %o = moe.attention %q over @cache0, @cache1 at %batch {{head_dim = {2} : i64, scale = 0.1 : f64,\n"
                              "    compute = #moe<compute bf16>{3}} : tensor<?x{0}xf32> -> tensor<?x{0}xf32>\n"
                              "  plan.return %o : tensor<?x{0}xf32>\n}\n",
                              heads * dim, keyHeads * dim, dim, extra));
}

/// Of a window, and of entries of blocks: all, or those that are listed.
static std::string attentionToEntries(int64_t heads, int64_t dim, int64_t block, int64_t listed) {
  std::string lists = llvm::formatv("tensor<?x{0}xi32>", listed);
  return llvm::formatv(
      "plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64>, array<i64: {0}>{5}] {{\n"
      "^bb0(%q: tensor<?x{1}xf32>, %batch: !moe.batch, %sinks: tensor<{0}xf32>{6}):\n"
      "  moe.cache @cache0 : tensor<?x{2}xbf16>\n  moe.cache @cache1 : tensor<?x{2}xbf16> {{block = {3} : i64}\n"
      "  %o = moe.attention %q over @cache0, @cache0 and @cache1 at %batch{4} sinks %sinks (tensor<{0}xf32>) {{head_dim = {2} : "
      "i64,\n"
      "    scale = 0.1 : f64, window = 128 : i64, compute = #moe<compute bf16>} : tensor<?x{1}xf32> -> tensor<?x{1}xf32>\n"
      "  plan.return %o : tensor<?x{1}xf32>\n}\n",
      heads, heads * dim, dim, block, listed ? " among %p (" + lists + ")" : "", listed ? ", array<i64>" : "",
      listed ? ", %p: " + lists : "");
}

static void expectEntries(int64_t heads, int64_t dim, int64_t block, int64_t listed) {
  expectNoSpill(attentionToEntries(heads, dim, block, listed));
}

static std::string selection(int64_t heads, int64_t width, int64_t k, int64_t block) {
  return llvm::formatv("plan.model \"m\" {{vocabulary = 8 : i64, layers = 1 : i64, parameters = 1 : i64, max_sequence = 163840 : "
                       "i64, max_batch = 4 : i64, page_size = 64 : i64, eos = array<i64>, compute = \"bf16\"}\n"
                       "plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64>, array<i64>] {{\n"
                       "^bb0(%q: tensor<?x{0}xf32>, %w: tensor<?x{1}xf32>, %batch: !moe.batch):\n"
                       "  moe.cache @cache0 : tensor<?x{2}xbf16> {{block = {4} : i64}\n"
                       "  %p = moe.select_positions %q, %w over @cache0 at %batch : tensor<?x{0}xf32>, tensor<?x{1}xf32> -> "
                       "tensor<?x{3}xi32>\n"
                       "  plan.return %p : tensor<?x{3}xi32>\n}\n",
                       heads * width, heads, width, k, block);
}

static void expectSelection(int64_t heads, int64_t width, int64_t k, int64_t block) {
  expectNoSpill(selection(heads, width, k, block));
}

static LaunchShape shapeOf(const std::string &plan) {
  mlir::MLIRContext context;
  loadKernelDialects(context);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(plan, &context);
  mlir::FailureOr<std::vector<GpuCode>> codes = mlir::failure();
  if (module)
    codes = nvptx::generateCode(*module, {nvptx::findTarget("sm_80")});
  if (mlir::succeeded(codes))
    return codes->front().shapes.front();
  ADD_FAILURE() << plan;
  return {};
}

TEST(AttentionSizes, DeepSeekV3) { expectLatent(128, 128, 64, 128, 512); }
TEST(AttentionSizes, DeepSeekV32) { expectNoSpill(latent("absorbed_attention", 128, 128, 64, 128, 512, 2048)); }
TEST(AttentionSizes, DeepSeekV2Lite) { expectLatent(16, 128, 64, 128, 512); }
TEST(AttentionSizes, Mixtral) { expectGrouped(32, 8, 128); }
TEST(AttentionSizes, Qwen3) { expectGrouped(32, 4, 128); }
TEST(AttentionSizes, WindowsAndCaps) { expectGrouped(64, 8, 64, ", window = 128 : i64, soft_cap = 30.0 : f64"); }
TEST(AttentionSizes, WideHeads) { expectGrouped(16, 8, 256); }
TEST(AttentionSizes, DeepSeekV4) {
  expectEntries(64, 512, 128, 0);
  expectEntries(128, 512, 4, 1024);
}

/// A token's workspace is what its spans leave: one of a window that the shortest span holds, of entries as many as are listed
/// fill.
TEST(AttentionSizes, KeepSpansOfEachKind) {
  for (auto [listed, spans] : {std::pair(512, 1 + 2), {1024, 1 + 4}, {0, 1 + 16}})
    EXPECT_EQ(shapeOf(attentionToEntries(64, 512, 4, listed)).workspace.factor, spans * 64 * (512 + 2) * 4) << listed;
}

/// Keys and values of the heads are kept of 1,024 positions, of fewer where all sequences' would take more than 512 MiB, and of
/// none where even a quarter would.
TEST(AttentionSizes, KeepKeysAndValuesOfFewPositions) {
  auto bytesFor = [](int64_t heads, int64_t sequences, int64_t positions) {
    std::string plan = modelOf(sequences, positions) + latent("latent_attention", heads, 128, 64, 128, 512);
    return shapeOf(plan).workspace.addend / 256 * 256;
  };
  constexpr int64_t counters = 256, ofHead = (192 + 128) * 2;
  EXPECT_EQ(bytesFor(16, 8, 4096), counters + 8 * 1024 * 16 * ofHead);
  EXPECT_EQ(bytesFor(16, 8, 100), counters + 8 * 128 * 16 * ofHead);
  EXPECT_EQ(bytesFor(128, 8, 4096), counters + 8 * 768 * 128 * ofHead);
  EXPECT_EQ(bytesFor(128, 64, 4096), counters);
}

/// Scores of 163,840 positions are kept of 102 tokens, however many there are.
TEST(AttentionSizes, KeepScoresOfSomeTokens) {
  LaunchDimension workspace = shapeOf(selection(64, 128, 2048, 1)).workspace;
  EXPECT_EQ(workspace.factor, 0);
  EXPECT_LE(workspace.addend, (64 << 20) + (64 << 10));
  EXPECT_GE(workspace.addend, 102 * 163840 * 4);
}

TEST(AttentionSizes, SelectionOfDeepSeekV32) { expectSelection(64, 128, 2048, 1); }
TEST(AttentionSizes, SelectionOfDeepSeekV4) { expectSelection(64, 128, 512, 4); }
