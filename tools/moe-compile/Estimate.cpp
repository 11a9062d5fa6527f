// What a model needs when it runs, from its plan alone.
#include "tools/moe-compile/Estimate.h"

#include "dialects/plan/Functions.h"
#include "passes/Cost.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"

#include <unistd.h>

using namespace llvm;
using namespace moec;
using namespace moec::compile;

static int64_t bitsOf(mlir::Type type) {
  auto tensor = cast<mlir::RankedTensorType>(type);
  return tensor.getNumElements() * tensor.getElementTypeBitWidth();
}

/// FLOP that a kernel adds for a token that sees one position more.
static int64_t flopPerPosition(plan::KernelOp kernel, mlir::SymbolTableCollection &symbols) {
  double flop = 0;
  kernel.walk([&](mlir::Operation *op) {
    if (isa<moe::AttentionOp, moe::LatentAttentionOp, moe::AbsorbedAttentionOp>(op))
      flop += passes::costOf(op, {1, 2}, 1, symbols).flop - passes::costOf(op, {1, 1}, 1, symbols).flop;
  });
  return int64_t(flop);
}

/// Whether a kernel's argument is of scales, which are no parameters.
static bool isScale(mlir::Value argument) {
  return any_of(argument.getUses(),
                [](mlir::OpOperand &use) { return isa<moe::DequantizeOp>(use.getOwner()) && use.getOperandNumber() > 0; });
}

/// Parameters among the weight bytes that a single row reads: the share of all in the kernel's weights that it is of their bytes.
static int64_t activeParameters(plan::KernelOp kernel) {
  int64_t elements = 0, bits = 0;
  for (auto [argument, partRows] :
       zip_equal(kernel.getBody().getArguments(), kernel.getPartRows().getAsRange<mlir::DenseI64ArrayAttr>()))
    if (!partRows.empty()) {
      elements += isScale(argument) ? 0 : cast<mlir::RankedTensorType>(argument.getType()).getNumElements();
      bits += bitsOf(argument.getType());
    }
  return bits ? int64_t(double(elements) * double(kernel.getBytesPerRow() * 8) / double(bits)) : 0;
}

static void addProgram(plan::ProgramOp program, Estimate &result) {
  result.activationBytes = std::max(result.activationBytes, int64_t(program.getArenaBytes().value_or(0)));
  if (program.getSymName() != "decode")
    return;
  mlir::SymbolTableCollection symbols;
  for (auto launch : program.getBody().getOps<plan::LaunchOp>()) {
    auto kernel = symbols.lookupNearestSymbolFrom<plan::KernelOp>(program, launch.getKernelAttr());
    result.activeParameters += activeParameters(kernel);
    result.activeBytes += kernel.getBytesPerRow();
    result.flop += kernel.getFlopPerRow();
    result.flopPerPosition += flopPerPosition(kernel, symbols);
  }
}

Estimate moec::compile::estimate(mlir::ModuleOp plan, int64_t memory) {
  Estimate result;
  result.memory = memory ? memory : int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  result.setAside = moe::predictionLayersOf(plan);
  for (auto weight : plan.getOps<plan::WeightOp>())
    for (auto part : weight.getParts().getAsRange<plan::PartAttr>())
      result.weightBytes += part.getAllBytes();
  for (auto graph : plan.getOps<plan::GraphOp>()) { // functions: what they need besides depends on their inputs
    result.family = graph.getFamily().str();
    result.parameters = graph.getParameters();
    return result;
  }
  auto model = *plan.getOps<plan::ModelOp>().begin();
  result.family = model.getFamily().str();
  result.parameters = model.getParameters();
  result.maxSequence = model.getMaxSequence();
  result.maxBatch = model.getMaxBatch();
  int64_t bytesOfPage = 0;
  for (auto cache : plan.getOps<plan::CacheOp>()) {
    auto type = cast<mlir::RankedTensorType>(cache.getType());
    int64_t rowsOfPage = int64_t(divideCeil(model.getPageSize(), cache.getBlock()));
    bytesOfPage += int64_t(divideCeil(type.getShape().back() * type.getElementTypeBitWidth(), 8)) * rowsOfPage;
  }
  result.cacheBytesPerPosition = int64_t(divideCeil(bytesOfPage, model.getPageSize()));
  result.cacheBytes = bytesOfPage * int64_t(divideCeil(result.maxSequence, model.getPageSize())) * result.maxBatch;
  for (auto constant : plan.getOps<plan::ConstantOp>())
    result.constantBytes += divideCeil(bitsOf(constant.getType()), 8);
  for (auto program : plan.getOps<plan::ProgramOp>())
    addProgram(program, result);
  return result;
}

/// In the largest of `units` that it reaches, each of which is `step` times the one before.
static std::string scaled(int64_t number, double step, ArrayRef<const char *> units) {
  double value = double(number);
  while (value >= step && units.size() > 1) {
    value /= step;
    units = units.drop_front();
  }
  return (value == double(number) ? std::to_string(number) : formatv("{0:f2}", value).str()) + units.front();
}

static std::string bytes(int64_t number) { return scaled(number, 1024, {" bytes", " KiB", " MiB", " GiB", " TiB"}); }
static std::string count(int64_t number) { return scaled(number, 1000, {"", " thousand", " million", " billion", " trillion"}); }

std::string Estimate::page() const {
  std::string text;
  auto line = [&](StringRef label, const Twine &value) { text += formatv("{0,-28}{1}\n", label, value.str()).str(); };
  line("family", family);
  line("parameters", count(parameters) + ", of which a token uses " + count(activeParameters));
  line("weights", bytes(weightBytes) + ", of which a token reads " + bytes(activeBytes));
  line("FLOP per token", count(flop) + ", and " + count(flopPerPosition) + " for each position before it");
  line("cache per position", bytes(cacheBytesPerPosition));
  line("cache", bytes(cacheBytes) + " for " + Twine(maxBatch) + " sequences of " + Twine(maxSequence) + " positions");
  line("activations and tables", bytes(activationBytes + constantBytes));
  if (setAside.layers)
    line("set aside", setAside.inWords() + ": " + count(setAside.parameters) + " parameters, " + bytes(setAside.bytes));
  if (setAside.absent)
    line("not in the files", setAside.absentInWords());
  line("memory", bytes(needed()) + " of " + bytes(memory) + (fits() ? ": fits" : ": does not fit"));
  return text;
}

std::string Estimate::json() const {
  json::Object object{{"family", family},
                      {"parameters", parameters},
                      {"active_parameters", activeParameters},
                      {"weight_bytes", weightBytes},
                      {"active_weight_bytes", activeBytes},
                      {"flop_per_token", flop},
                      {"flop_per_cached_position", flopPerPosition},
                      {"cache_bytes_per_position", cacheBytesPerPosition},
                      {"max_sequence", maxSequence},
                      {"max_batch", maxBatch},
                      {"cache_bytes", cacheBytes},
                      {"activation_bytes", activationBytes},
                      {"constant_bytes", constantBytes},
                      {"prediction_layers", setAside.layers},
                      {"prediction_parameters", setAside.parameters},
                      {"prediction_bytes", setAside.bytes},
                      {"absent_prediction_layers", setAside.absent},
                      {"needed_bytes", needed()},
                      {"memory_bytes", memory},
                      {"fits", fits()}};
  return formatv("{0:2}\n", json::Value(std::move(object))).str();
}
