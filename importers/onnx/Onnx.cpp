// The module around a model's graph: weights, and a function whose arguments and results are the graph's.
#include "importers/onnx/Onnx.h"
#include "importers/Refusal.h"
#include "importers/onnx/ExportFolder.h"
#include "importers/onnx/GraphBuilder.h"
#include "importers/onnx/Reader.h"
#include "importers/onnx/Topology.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {

class ModuleBuilder {
public:
  ModuleBuilder(Model &model, ModuleOp module, bool widens)
      : model(model), module(module), b(module.getLoc(), module.getContext()), weights(module, model, widens), emitter(b, weights),
        building{model, emitter, {}, ""}, graph(building, model.opsets, nullptr, nullptr) {
    for (const Function &function : model.functions)
      building.functions[keyOf(function.domain, function.name, function.overload)] = &function;
  }

  /// Answers the problem, if there is one.
  std::string build();
  bool hasWidened() const { return weights.hasWidened; }

private:
  LogicalResult refuse(const Twine &why) {
    building.problem = why.str();
    return failure();
  }
  LogicalResult declareInput(const ValueInfo &input, func::FuncOp function);
  LogicalResult checkDefault(const ValueInfo &input, const StoredTensor &stored);
  LogicalResult buildFunction();

  Model &model;
  ModuleOp module;
  ImplicitLocOpBuilder b;
  WeightTable weights;
  Emitter emitter;
  Building building;
  GraphBuilder graph;
  llvm::StringMap<Extent> named; ///< sizes by the name that the model gives them
};

/// An initializer that is also an input is what the input is when none is given, which is always.
LogicalResult ModuleBuilder::checkDefault(const ValueInfo &input, const StoredTensor &stored) {
  bool agrees = input.type == stored.type && (!input.hasShape || input.dims.size() == stored.dims.size());
  if (agrees && input.hasShape)
    for (auto [declared, dim] : llvm::zip(input.dims, stored.dims))
      agrees &= declared.size < 0 || declared.size == dim;
  return agrees ? success()
                : refuse("tensor '" + stored.name + "': expected the type and shape that the input of its name declares");
}

LogicalResult ModuleBuilder::declareInput(const ValueInfo &input, func::FuncOp function) {
  if (input.kind != "tensor")
    return refuse("input '" + input.name + "': expected a tensor, got " + (input.kind.empty() ? "nothing declared" : input.kind));
  DataType seen = weights.seenAs(input.type);
  Type element = onnx::typeOf(seen, b.getContext());
  if (!element)
    return refuse("input '" + input.name + "': tensors of " + nameOf(input.type) + " are not supported");
  if (!input.hasShape)
    return refuse("input '" + input.name + "': expected a shape, for the number of dimensions must be known");
  SmallVector<int64_t> dims;
  for (const ValueInfo::Dim &dim : input.dims)
    dims.push_back(dim.size >= 0 ? dim.size : ShapedType::kDynamic);
  unsigned index = function.getNumArguments();
  SmallVector<NamedAttribute> attributes = {b.getNamedAttr("moe.input", b.getStringAttr(input.name))};
  if (isUnsigned(input.type))
    attributes.push_back(b.getNamedAttr("moe.element", b.getStringAttr(nameOf(input.type))));
  if (failed(function.insertArgument(index, RankedTensorType::get(dims, element), b.getDictionaryAttr(attributes), b.getLoc())))
    return failure();
  Value argument = function.getArgument(index);
  Shape shape;
  for (auto [axis, dim] : llvm::enumerate(input.dims)) {
    if (dim.size >= 0) {
      shape.push_back(dim.size);
      continue;
    }
    Extent size = emitter.extents.of(tensor::DimOp::create(b, argument, axis), true);
    if (!dim.name.empty())
      if (auto [known, isNew] = named.try_emplace(dim.name, size); !isNew) {
        emitter.requireEqual(size, known->second,
                             "input '" + input.name + "': dimension " + Twine(axis) + " differs from another called '" + dim.name +
                                 "'");
        size = known->second;
      }
    shape.push_back(size);
  }
  graph.define(input.name, emitter.tensor(argument, seen, shape));
  return success();
}

LogicalResult ModuleBuilder::buildFunction() {
  // Each costs a function more than the one before.
  constexpr size_t most = 4096;
  if (model.graph.inputs.size() > most || model.graph.outputs.size() > most)
    return refuse("the graph has more inputs or outputs than the limit of " + Twine(most));
  b.setInsertionPointToEnd(module.getBody());
  auto function = func::FuncOp::create(b, "main", b.getFunctionType({}, {}));
  b.setInsertionPointToStart(function.addEntryBlock());
  llvm::StringMap<const StoredTensor *> initializers;
  for (const StoredTensor &stored : model.graph.initializers)
    initializers[stored.name] = &stored;
  for (const ValueInfo &input : model.graph.inputs) {
    const StoredTensor *stored = initializers.lookup(input.name);
    if (failed(stored ? checkDefault(input, *stored) : declareInput(input, function)))
      return failure();
  }
  if (failed(graph.build(model.graph)))
    return failure();
  SmallVector<Value> results;
  for (const ValueInfo &output : model.graph.outputs)
    results.push_back(emitter.value(*graph.find(output.name)));
  b.setLoc(module.getLoc());
  func::ReturnOp::create(b, results);
  function.setType(b.getFunctionType(function.getArgumentTypes(), ValueRange(results).getTypes()));
  for (auto [index, output] : llvm::enumerate(model.graph.outputs)) {
    function.setResultAttr(index, "moe.output", b.getStringAttr(output.name));
    if (DataType type = graph.find(output.name)->type; isUnsigned(type))
      function.setResultAttr(index, "moe.element", b.getStringAttr(nameOf(type)));
  }
  return success();
}

std::string ModuleBuilder::build() {
  if (failed(buildFunction()))
    return building.problem;
  if (!building.problem.empty())
    return building.problem;
  // Sizes were computed as they came up; what turned out not to be needed goes.
  IRRewriter rewriter(module.getContext());
  (void)runRegionDCE(rewriter, module->getRegions());
  return weights.problem;
}

} // namespace

llvm::Expected<OwningOpRef<ModuleOp>> onnx::buildModel(Model &model, MLIRContext &context, bool widens) {
  context.loadDialect<moe::MoEDialect, func::FuncDialect, arith::ArithDialect, math::MathDialect, tensor::TensorDialect,
                      linalg::LinalgDialect, scf::SCFDialect, cf::ControlFlowDialect>();
  if (llvm::Error error = onnx::sort(model))
    return error;
  if (llvm::Error error = checkCalls(model))
    return error;
  OwningOpRef<ModuleOp> module = ModuleOp::create(NameLoc::get(StringAttr::get(&context, model.path)));
  (*module)->setAttr("moe.family", StringAttr::get(&context, "onnx"));
  (*module)->setAttr("moe.folder", StringAttr::get(&context, model.folder));
  ModuleBuilder builder(model, *module, widens);
  std::string problem = builder.build();
  if (!problem.empty())
    return refuse(model.path + ": " + problem);
  std::string complaint;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) { complaint += diagnostic.str(); });
  PassManager passes(&context);
  passes.addPass(createCSEPass());
  if (failed(verify(*module)) || failed(passes.run(*module)))
    return refuse(model.path + ": the imported model is not valid: " + complaint);
  if (builder.hasWidened())
    (*module)->setAttr("moe.widened", UnitAttr::get(&context));
  return module;
}

llvm::Expected<OwningOpRef<ModuleOp>> onnx::importModel(const ModelFolder &folder, StringRef fileName, MLIRContext &context,
                                                        bool widens) {
  llvm::Expected<std::unique_ptr<Model>> model = openModel(folder, fileName);
  if (!model)
    return model.takeError();
  llvm::Expected<OwningOpRef<ModuleOp>> module = buildModel(**model, context, widens);
  if (!module)
    return module.takeError();
  if (llvm::Error error = describeText(folder, fileName, **module))
    return error;
  return module;
}
