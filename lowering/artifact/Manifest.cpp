// The manifest of a plan: one record for each op.
#include "lowering/artifact/Manifest.h"

#include "dialects/moe/MoE.h"
#include "lowering/artifact/ElementType.h"
#include "lowering/artifact/FunctionRecord.h"
#include "mlir/IR/AsmState.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec;
using namespace moec::lowering;

namespace {
/// The value of a schema's enum that is called as the dialect's.
template <typename Enum> Enum named(StringRef name, ArrayRef<Enum> values, const char *(*nameOf)(Enum)) {
  return *find_if(values, [&](Enum value) { return name == nameOf(value); });
}

std::unique_ptr<artifact::RoutingSemanticsT> semanticsOf(plan::RoutingOp op) {
  auto routing = op->getAttrOfType<moe::RoutingAttr>("moe.routing");
  if (!routing)
    return nullptr;
  auto semantics = std::make_unique<artifact::RoutingSemanticsT>();
  semantics->score =
      named<artifact::Score>(stringifyScore(routing.getScore()), artifact::EnumValuesScore(), artifact::EnumNameScore);
  semantics->groups = uint32_t(routing.getGroups());
  semantics->kept_groups = uint32_t(routing.getKeptGroups());
  semantics->group_score = named<artifact::GroupScore>(stringifyGroupScore(routing.getGroupScore()),
                                                       artifact::EnumValuesGroupScore(), artifact::EnumNameGroupScore);
  semantics->mask_fill = named<artifact::MaskFill>(stringifyMaskFill(routing.getMaskFill()), artifact::EnumValuesMaskFill(),
                                                   artifact::EnumNameMaskFill);
  semantics->renormalize = routing.getRenormalize();
  semantics->epsilon = double(routing.getEpsilon());
  semantics->scale = double(routing.getScale());
  semantics->jitter_epsilon = double(routing.getJitterEpsilon());
  semantics->selection_bias = op->hasAttr("moe.selection_bias");
  semantics->token_table = op->hasAttr("moe.token_table");
  return semantics;
}

/// What a kernel computes, op by op, without its name.
std::string irOf(plan::KernelOp kernel) {
  std::string text;
  raw_string_ostream out(text);
  mlir::AsmState names(kernel);
  for (mlir::Operation &op : kernel.getBody().front().without_terminator()) {
    op.print(out, names);
    out << "\n";
  }
  return text;
}

/// Numbers that only kernels understand are bytes to everybody else: `count` elements of `type` as elements that have a place.
/// (Rows are whole bytes.)
bool isBytes(mlir::Type type) { return type.getIntOrFloatBitWidth() <= 8 && !type.isInteger(8); }
mlir::Type inArtifact(mlir::Type type) { return isBytes(type) ? mlir::IntegerType::get(type.getContext(), 8) : type; }
uint64_t inArtifact(mlir::Type type, uint64_t count) { return isBytes(type) ? count * type.getIntOrFloatBitWidth() / 8 : count; }

template <typename T> std::vector<std::unique_ptr<T>> owned(std::vector<T> values) {
  std::vector<std::unique_ptr<T>> result;
  for (T &value : values)
    result.push_back(std::make_unique<T>(std::move(value)));
  return result;
}

class ManifestBuilder {
public:
  explicit ManifestBuilder(mlir::ModuleOp plan) : plan(plan), symbols(plan) {}

  Expected<artifact::ManifestT> build(PlacedWeights placed) {
    addModel();
    if (Error error = addWeights(std::move(placed)))
      return error;
    for (auto cache : plan.getOps<plan::CacheOp>())
      if (Error error = addCache(cache))
        return error;
    for (auto kernel : plan.getOps<plan::KernelOp>())
      addKernel(kernel);
    for (auto program : plan.getOps<plan::ProgramOp>())
      if (Error error = addProgram(program))
        return error;
    for (auto function : plan.getOps<plan::FunctionOp>())
      if (Error error = addFunction(function))
        return error;
    return std::move(manifest);
  }

private:
  void addGraph(plan::GraphOp op) {
    auto model = std::make_unique<artifact::ModelT>();
    model->family = op.getFamily().str();
    model->parameters = uint64_t(op.getParameters());
    model->compute = "f32";
    manifest.model = std::move(model);
  }

  void addModel() {
    if (auto graphs = plan.getOps<plan::GraphOp>(); !graphs.empty())
      return addGraph(*graphs.begin());
    auto op = *plan.getOps<plan::ModelOp>().begin();
    auto model = std::make_unique<artifact::ModelT>();
    model->family = op.getFamily().str();
    model->vocabulary = uint32_t(op.getVocabulary());
    model->layers = uint32_t(op.getLayers());
    model->parameters = uint64_t(op.getParameters());
    model->max_sequence = uint32_t(op.getMaxSequence());
    model->max_batch = uint32_t(op.getMaxBatch());
    model->page_size = uint32_t(op.getPageSize());
    model->bos_id = int32_t(op.getBos().value_or(-1));
    for (int64_t id : op.getEos())
      model->eos_ids.push_back(int32_t(id));
    model->compute = op.getCompute().str();
    manifest.model = std::move(model);
    for (auto routing : plan.getOps<plan::RoutingOp>()) {
      auto record = std::make_unique<artifact::RoutingRecordT>();
      record->layer = uint32_t(routing.getLayer());
      record->experts = uint32_t(routing.getExperts());
      record->k = uint32_t(routing.getK());
      record->description = routing.getSummary().str();
      record->semantics = semanticsOf(routing);
      manifest.routing.push_back(std::move(record));
    }
  }

  Error addWeights(PlacedWeights placed) {
    for (auto [op, runs] : zip_equal(plan.getOps<plan::WeightOp>(), placed.runs)) {
      auto type = cast<mlir::RankedTensorType>(op.getType());
      Expected<artifact::ElementType> element = elementOf(inArtifact(type.getElementType()), "weight '" + op.getSymName() + "'");
      if (!element)
        return element.takeError();
      auto weight = std::make_unique<artifact::WeightT>();
      weight->name = op.getSymName().str();
      weight->element = *element;
      weight->shape.assign(type.getShape().begin(), type.getShape().end());
      weight->shape.back() = inArtifact(type.getElementType(), weight->shape.back());
      weight->runs = owned(std::move(runs));
      indices[op.getSymNameAttr()] = uint32_t(manifest.weights.size());
      manifest.weights.push_back(std::move(weight));
    }
    manifest.weight_files = owned(std::move(placed.files));
    return Error::success();
  }

  Error addFunction(plan::FunctionOp op) {
    auto function = recordOf(op, [&](mlir::StringAttr weight) { return indices.lookup(weight); });
    if (!function)
      return function.takeError();
    manifest.functions.push_back(std::make_unique<artifact::FunctionT>(std::move(*function)));
    return Error::success();
  }

  Error addCache(plan::CacheOp op) {
    auto type = cast<mlir::RankedTensorType>(op.getType());
    Expected<artifact::ElementType> element = elementOf(type.getElementType(), "cache '" + op.getSymName() + "'");
    if (!element)
      return element.takeError();
    auto cache = std::make_unique<artifact::CacheT>();
    cache->name = op.getSymName().str();
    cache->element = *element;
    cache->width = uint64_t(type.getShape().back());
    cache->block = op.getBlock();
    indices[op.getSymNameAttr()] = uint32_t(manifest.caches.size());
    manifest.caches.push_back(std::move(cache));
    return Error::success();
  }

  void addKernel(plan::KernelOp op) {
    auto kernel = std::make_unique<artifact::KernelT>();
    kernel->symbol = op.getSymName().str();
    ListSeparator separator(" ");
    for (mlir::Operation &inner : op.getBody().front().without_terminator())
      if (!isa<mlir::SymbolOpInterface>(inner))
        kernel->summary += (StringRef(separator) + inner.getName().getStringRef()).str();
    kernel->scratch_bytes = uint64_t(op.getScratchBytes());
    kernel->ir = irOf(op);
    indices[op.getSymNameAttr()] = uint32_t(manifest.kernels.size());
    manifest.kernels.push_back(std::move(kernel));
  }

  /// The record of a buffer; equal ones of all programs are one.
  Expected<uint32_t> bufferOf(plan::BufferOp op) {
    auto [known, isNew] = buffers.try_emplace(op, 0);
    if (!isNew)
      return known->second;
    auto type = cast<mlir::MemRefType>(op.getType());
    artifact::BufferT buffer;
    buffer.kind = artifact::BufferKind(op.getKind());
    buffer.extent = artifact::Extent(op.getRowExtent());
    buffer.width = 1;
    for (int64_t dim : type.getShape())
      buffer.width *= mlir::ShapedType::isDynamic(dim) ? 1 : uint64_t(dim);
    buffer.width = inArtifact(type.getElementType(), buffer.width);
    buffer.offset = uint64_t(op.getOffset().value_or(0));
    if (std::optional<StringRef> symbol = op.getSymbol()) {
      buffer.name = symbol->str();
      if (op.getKind() == plan::BufferKind::Constant) {
        auto constant = symbols.lookup<plan::ConstantOp>(op.getSymbolAttr().getAttr());
        buffer.offset = uint64_t(*constant.getOffset());
        buffer.extent = artifact::Extent::constant;
      } else {
        buffer.index = indices.lookup(op.getSymbolAttr().getAttr());
      }
    } else {
      buffer.name = stringifyBufferKind(op.getKind()).str() + "." + std::to_string(manifest.buffers.size());
    }
    Expected<artifact::ElementType> element = elementOf(inArtifact(type.getElementType()), "buffer '" + buffer.name + "'");
    if (!element)
      return element.takeError();
    buffer.element = *element;
    if (op.getSymbol()) {
      auto [shared, first] = named.try_emplace(op.getSymbolAttr().getAttr(), uint32_t(manifest.buffers.size()));
      if (!first)
        return buffers[op] = shared->second;
    }
    uint32_t index = uint32_t(manifest.buffers.size());
    manifest.buffers.push_back(std::make_unique<artifact::BufferT>(std::move(buffer)));
    return buffers[op] = index;
  }

  Error addProgram(plan::ProgramOp op) {
    auto program = std::make_unique<artifact::ProgramT>();
    program->name = op.getSymName().str();
    program->max_tokens = uint32_t(op.getMaxTokens());
    program->max_sequences = uint32_t(op.getMaxSequences());
    program->max_outputs = uint32_t(op.getMaxOutputs());
    program->arena_bytes = uint64_t(op.getArenaBytes().value_or(0));
    for (auto launchOp : op.getBody().getOps<plan::LaunchOp>()) {
      auto kernel = symbols.lookup<plan::KernelOp>(launchOp.getKernelAttr().getAttr());
      auto launch = std::make_unique<artifact::LaunchT>();
      launch->kernel = indices.lookup(kernel.getSymNameAttr());
      launch->extent = artifact::Extent(kernel.getExtent());
      launch->items_per_unit = uint64_t(kernel.getItemsPerUnit());
      launch->flops_per_unit = uint64_t(kernel.getFlopPerRow());
      launch->bytes_per_unit = uint64_t(kernel.getBytesPerRow());
      for (mlir::Value value : launchOp.getBuffers()) {
        Expected<uint32_t> buffer = bufferOf(value.getDefiningOp<plan::BufferOp>());
        if (!buffer)
          return buffer.takeError();
        launch->buffers.push_back(*buffer);
      }
      program->launches.push_back(std::move(launch));
    }
    for (auto outputOp : op.getBody().getOps<plan::OutputOp>()) {
      Expected<uint32_t> buffer = bufferOf(outputOp.getBuffer().getDefiningOp<plan::BufferOp>());
      if (!buffer)
        return buffer.takeError();
      auto output = std::make_unique<artifact::OutputT>();
      output->name = outputOp.getName().str();
      output->buffer = *buffer;
      program->outputs.push_back(std::move(output));
    }
    manifest.programs.push_back(std::move(program));
    return Error::success();
  }

  mlir::ModuleOp plan;
  mlir::SymbolTable symbols;
  artifact::ManifestT manifest;
  DenseMap<mlir::StringAttr, uint32_t> indices; ///< of weights, caches and kernels among their kind
  DenseMap<mlir::StringAttr, uint32_t> named;   ///< buffers that a symbol names
  DenseMap<mlir::Operation *, uint32_t> buffers;
};
} // namespace

Expected<artifact::ManifestT> moec::lowering::manifestOf(mlir::ModuleOp plan, PlacedWeights weights) {
  return ManifestBuilder(plan).build(std::move(weights));
}

static std::unique_ptr<artifact::LaunchDimensionT> recordOf(const LaunchDimension &dimension) {
  auto record = std::make_unique<artifact::LaunchDimensionT>();
  record->extent = artifact::Extent(dimension.extent);
  record->divisor = uint64_t(dimension.divisor);
  record->factor = uint64_t(dimension.factor);
  record->addend = uint64_t(dimension.addend);
  return record;
}

static artifact::GpuKernelT recordOf(const LaunchShape &shape, size_t kernel) {
  artifact::GpuKernelT record;
  record.kernel = uint32_t(kernel);
  record.threads = uint32_t(shape.threads);
  for (const LaunchDimension &dimension : shape.grid)
    record.grid.push_back(recordOf(dimension));
  record.shared_bytes = uint32_t(shape.sharedBytes);
  record.workspace = recordOf(shape.workspace);
  record.counter_bytes = uint32_t(shape.counterBytes);
  return record;
}

static artifact::CubinT recordOf(const ChipCode &chip) {
  artifact::CubinT record;
  record.chip = chip.chip;
  for (const AssembledKernel &assembled : chip.kernels) {
    auto kernel = std::make_unique<artifact::AssembledKernelT>();
    kernel->registers = uint32_t(assembled.registers);
    kernel->shared_bytes = uint32_t(assembled.sharedBytes);
    kernel->local_bytes = uint32_t(assembled.localBytes);
    kernel->spill_store_bytes = uint32_t(assembled.spillStoreBytes);
    kernel->spill_load_bytes = uint32_t(assembled.spillLoadBytes);
    record.kernels.push_back(std::move(kernel));
  }
  return record;
}

artifact::GpuCodeT moec::lowering::recordOf(const GpuCode &code) {
  artifact::GpuCodeT record;
  record.target = code.target;
  record.min_compute_capability = uint32_t(code.minComputeCapability);
  for (auto [kernel, shape] : enumerate(code.shapes))
    record.kernels.push_back(std::make_unique<artifact::GpuKernelT>(::recordOf(shape, kernel)));
  for (const LaunchChain &chain : code.chains) {
    artifact::GpuChainT &entry = *record.chains.emplace_back(std::make_unique<artifact::GpuChainT>());
    entry.symbol = chain.name;
    entry.kernels.assign(chain.kernels.begin(), chain.kernels.end());
  }
  for (const std::vector<ChainedLaunches> &program : code.programs) {
    artifact::GpuProgramT &launches = *record.programs.emplace_back(std::make_unique<artifact::GpuProgramT>());
    for (const ChainedLaunches &chained : program)
      launches.chained.emplace_back(uint32_t(chained.first), uint32_t(chained.chain));
  }
  for (const ChipCode &chip : code.chips)
    record.cubins.push_back(std::make_unique<artifact::CubinT>(::recordOf(chip)));
  return record;
}
