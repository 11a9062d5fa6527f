// The command line of moe-compile.
#include "tools/moe-compile/Options.h"

#include "tools/ProgramOptions.h"

#include "mlir/IR/AsmState.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Program.h"

namespace cl = llvm::cl;
using namespace moec;
using namespace moec::compile;

namespace {
const char everyLevel[] = "x86-64", native[] = "native";

std::vector<std::string> targetNames() {
  std::vector<std::string> names{everyLevel, native};
  for (const lowering::x86::Target &target : lowering::x86::allTargets())
    names.push_back(target.name.str());
  for (const lowering::nvptx::Target &target : lowering::nvptx::allTargets())
    names.push_back(target.name.str());
  return names;
}

cl::OptionCategory category("moe-compile options");
cl::opt<std::string> input(cl::Positional, cl::desc("MODEL|FILE.mlir"), cl::Required, cl::cat(category));
cl::opt<std::string> output("o", cl::desc("Where to write the artifact, or the IR of --to (- is standard output)"),
                            cl::value_desc("FILE"), cl::cat(category));
cl::list<std::string>
    targets("target",
            cl::desc("What to generate code for; repeatable (default x86-64: all of its levels; native: the best that runs here)"),
            cl::cat(category));
cl::list<std::string> chips("chip", cl::desc("Also assemble GPU code for this chip (sm_80, sm_90, ...); repeatable, needs ptxas"),
                            cl::value_desc("CHIP"), cl::cat(category));
cl::opt<std::string> assembler("ptxas", cl::desc("NVIDIA's assembler (default: ptxas in PATH or in /usr/local/cuda/bin)"),
                               cl::value_desc("FILE"), cl::cat(category));
auto phases() {
  return cl::values(clEnumValN(Phase::Import, "import", "the model as written"),
                    clEnumValN(Phase::Normalize, "normalize", "its canonical form"),
                    clEnumValN(Phase::Optimize, "optimize", "specialised and fused"),
                    clEnumValN(Phase::Plan, "plan", "kernels, buffers, launches"),
                    clEnumValN(Phase::Codegen, "codegen", "the plan with what its code needs"),
                    clEnumValN(Phase::Artifact, "artifact", "the compiled model"));
}
cl::opt<Phase> to("to", cl::desc("Stop after this phase and print its IR"), phases(), cl::init(Phase::Artifact), cl::cat(category));
cl::opt<Phase> from("from", cl::desc("FILE.mlir is the IR that --to printed after this phase"), phases(), cl::init(Phase::Import),
                    cl::cat(category));
cl::opt<moe::Compute> compute("compute", cl::desc("Type of activations in matrix products, and of the cache"),
                              cl::values(clEnumValN(moe::Compute::F32, "f32", "32-bit floats"),
                                         clEnumValN(moe::Compute::BF16, "bf16", "bfloat16")),
                              cl::init(moe::Compute::F32), cl::cat(category));
cl::opt<passes::WeightFormat>
    weightFormat("weight-format",
                 cl::desc("What weights of products are rounded to on the way in, from whatever they are stored in"),
                 cl::values(clEnumValN(passes::WeightFormat::AsStored, "as-stored", "nothing"),
                            clEnumValN(passes::WeightFormat::Int8, "int8", "8 bits, a scale for every 128 neighbours in a row"),
                            clEnumValN(passes::WeightFormat::Int4, "int4",
                                       "4 bits, a scale for every 32; 8 bits for the head and for factors of latent attention")),
                 cl::init(passes::WeightFormat::AsStored), cl::cat(category));
enum class Weights { Embed, External };
cl::opt<Weights> weights("weights", cl::desc("Where the weights are when the artifact runs"),
                         cl::values(clEnumValN(Weights::Embed, "embed", "in the artifact"),
                                    clEnumValN(Weights::External, "external", "in the model's own files")),
                         cl::init(Weights::Embed), cl::cat(category));
cl::opt<int64_t> maxSequence("max-sequence", cl::desc("Positions of one sequence (default: what the model allows, at most 4096)"),
                             cl::value_desc("N"), cl::init(0), cl::cat(category));
cl::opt<int64_t> maxBatch("max-batch", cl::desc("Sequences in one step (default 8)"), cl::value_desc("N"), cl::init(8),
                          cl::cat(category));
cl::opt<int64_t> maxTokens("max-tokens", cl::desc("New tokens in one prefill step (default 512)"), cl::value_desc("N"),
                           cl::init(512), cl::cat(category));
cl::opt<bool> dryRun("dry-run", cl::desc("Only say what the model needs, from headers alone"), cl::cat(category));
cl::opt<bool> asJson("json", cl::desc("Say so as JSON"), cl::cat(category));
cl::opt<std::string> memory("memory", cl::desc("What --dry-run compares with: 24GB, 80GiB, ... (default: this machine's memory)"),
                            cl::value_desc("SIZE"), cl::cat(category));
cl::opt<bool> locations("locations", cl::desc("Print the locations of ops with --to"), cl::cat(category));
cl::opt<bool> noRaise("no-raise", cl::desc("Leave a graph in the ops that its nodes mean"), cl::cat(category));
cl::opt<std::string> remarks("remarks", cl::desc("Write the passes' remarks as YAML"), cl::value_desc("FILE"), cl::cat(category));
tools::ProgramOptions programOptions("moe-compile", category);

int refuse(const llvm::Twine &why) {
  llvm::errs() << "moe-compile: error: " << why << "\n";
  return 2;
}

std::optional<int> parseMemory(Options &options) {
  if (memory.empty())
    return std::nullopt;
  struct Unit {
    llvm::StringRef name;
    double bytes;
  };
  constexpr Unit units[] = {{"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}, {"kB", 1e3},
                            {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12},    {"B", 1}};
  double number = 0;
  for (const Unit &unit : units) {
    llvm::StringRef digits = memory.getValue();
    if (digits.consume_back(unit.name) && !digits.trim().getAsDouble(number) && number >= 1 && number * unit.bytes < 0x1p62) {
      options.memory = int64_t(number * unit.bytes);
      return std::nullopt;
    }
  }
  return refuse("--memory: expected a size like 24GB or 80GiB, got '" + memory + "'");
}

/// Adds the levels of x86-64 that --target `name` means to `levels`; false when there are none.
bool addLevels(llvm::StringRef name, std::vector<const lowering::x86::Target *> &levels) {
  const size_t before = levels.size();
  const lowering::x86::Target *best = nullptr;
  for (const lowering::x86::Target &level : lowering::x86::allTargets()) {
    if (name == everyLevel || name == level.name)
      levels.push_back(&level);
    if (lowering::x86::runsHere(level))
      best = &level;
  }
  if (name == native && best)
    levels.push_back(best);
  return levels.size() > before;
}

/// Each once, whatever the order of the arguments.
template <typename Target> std::vector<const Target *> fromTheMostGeneral(std::vector<const Target *> targets) {
  llvm::sort(targets);
  targets.erase(llvm::unique(targets), targets.end());
  return targets;
}

std::optional<int> parseTargets(Options &options) {
  std::vector<const lowering::x86::Target *> levels;
  if (targets.empty())
    addLevels(everyLevel, levels);
  for (const std::string &name : targets)
    if (const lowering::nvptx::Target *gpu = lowering::nvptx::findTarget(name))
      options.gpuTargets.push_back(gpu);
    else if (!addLevels(name, levels))
      return refuse("--target " + name + ": " +
                    (name == native ? "no level of x86-64 that code is generated for runs on this processor"
                                    : "expected one of " + llvm::join(targetNames(), ", ")));
  options.x86Targets = fromTheMostGeneral(levels);
  options.gpuTargets = fromTheMostGeneral(options.gpuTargets);
  options.chips = chips;
  for (const std::string &chip : options.chips)
    if (llvm::none_of(options.gpuTargets,
                      [&](const auto *target) { return llvm::is_contained(target->chips, llvm::StringRef(chip)); }))
      return refuse("--chip " + chip + ": no --target has code for it");
  if (options.chips.empty())
    return std::nullopt;
  llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName("ptxas");
  if (!found)
    found = llvm::sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"});
  options.assembler = !assembler.empty() ? std::string(assembler) : found ? *found : "";
  if (options.assembler.empty())
    return refuse("--chip needs NVIDIA's assembler: no ptxas found, name it with --ptxas FILE");
  return std::nullopt;
}
} // namespace

std::optional<int> moec::compile::parseOptions(int argc, char **argv, Options &options) {
  mlir::registerAsmPrinterCLOptions();
  mlir::registerDefaultTimingManagerCLOptions();
  const std::string targetWords = "{" + llvm::join(targetNames(), ",") + "}";
  targets.setValueStr(targetWords);
  programOptions.complete(to).complete(from).complete(compute).complete(weights).complete(weightFormat);
  cl::HideUnrelatedOptions(category); // what LLVM itself can be told is in --help-hidden
  if (!cl::ParseCommandLineOptions(argc, argv, "Compiles a Mixture-of-Experts language model to an artifact that moe-run runs.\n",
                                   &llvm::errs()))
    return 2;
  options = {.input = input,
             .output = output,
             .remarks = remarks,
             .from = from,
             .to = to,
             .compute = compute,
             .weightFormat = weightFormat,
             .embedWeights = weights == Weights::Embed,
             .dryRun = dryRun,
             .json = asJson,
             .locations = locations,
             .raise = !noRaise,
             .maxSequence = maxSequence,
             .maxBatch = maxBatch,
             .maxTokens = maxTokens};
  if (options.maxSequence < 0 || options.maxSequence > (1 << 24))
    return refuse("--max-sequence: expected 0 to 16777216, got " + llvm::Twine(options.maxSequence));
  if (options.maxBatch < 1 || options.maxBatch > (1 << 16))
    return refuse("--max-batch: expected 1 to 65536, got " + llvm::Twine(options.maxBatch));
  if (options.maxTokens < 1 || options.maxTokens > (1 << 20))
    return refuse("--max-tokens: expected 1 to 1048576, got " + llvm::Twine(options.maxTokens));
  if (std::optional<int> code = parseTargets(options))
    return code;
  if (std::optional<int> code = parseMemory(options))
    return code;
  if (!dryRun && (asJson || !memory.empty()))
    return refuse("--json and --memory are for --dry-run");
  if (options.weightFormat != passes::WeightFormat::AsStored && options.from >= Phase::Optimize)
    return refuse("--weight-format: expected a model that is still to be optimized, got --from a later phase");
  if (options.from > options.to)
    return refuse("--from names a phase behind that of --to");
  if (options.to == Phase::Artifact && !options.dryRun && (options.output.empty() || options.output == "-"))
    return refuse("expected -o FILE for the artifact (or --to PHASE to print IR)");
  return std::nullopt;
}
