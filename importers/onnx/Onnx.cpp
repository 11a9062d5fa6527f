// The module around a model's graph: weights, and a function whose arguments and results are the graph's.
#include "importers/onnx/Onnx.h"
#include "importers/Refusal.h"
#include "importers/onnx/Compound.h"
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
  /// A new argument of the function, whose elements are seen as `seen`.
  FailureOr<Value> argument(const Twine &name, DataType declared, ArrayRef<int64_t> dims, func::FuncOp function);
  LogicalResult declareInput(const ValueInfo &input, func::FuncOp function);
  LogicalResult declareCompound(const ValueInfo &input, func::FuncOp function);
  LogicalResult takeOutput(const ValueInfo &output);
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
  struct Result {
    std::string name;
    Tensor tensor;
  };
  std::vector<Result> results;
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

FailureOr<Value> ModuleBuilder::argument(const Twine &name, DataType declared, ArrayRef<int64_t> dims, func::FuncOp function) {
  Type element = onnx::typeOf(weights.seenAs(declared), b.getContext());
  unsigned index = function.getNumArguments();
  SmallVector<NamedAttribute> attributes = {b.getNamedAttr("moe.input", b.getStringAttr(name))};
  if (isUnsigned(declared))
    attributes.push_back(b.getNamedAttr("moe.element", b.getStringAttr(nameOf(declared))));
  if (failed(function.insertArgument(index, RankedTensorType::get(dims, element), b.getDictionaryAttr(attributes), b.getLoc())))
    return failure();
  return Value(function.getArgument(index));
}

static SmallVector<int64_t> dimsOf(const ValueInfo &info) {
  return llvm::map_to_vector(info.dims, [](const ValueInfo::Dim &dim) { return dim.size >= 0 ? dim.size : ShapedType::kDynamic; });
}

/// The name of a part that a value which is no tensor has at the interface.
static std::string partOf(StringRef name, StringRef part) { return (name + "." + part).str(); }

/// Whether one of `values` has a name that a part of `value` needs, which is then that name.
static std::string takenPart(const ValueInfo &value, ArrayRef<ValueInfo> values) {
  for (StringRef part : {"present", "scalars", "shapes"})
    for (const ValueInfo &other : values)
      if (other.name == partOf(value.name, part))
        return other.name.str();
  return "";
}

LogicalResult ModuleBuilder::declareCompound(const ValueInfo &input, func::FuncOp function) {
  std::string place = ("input '" + input.name + "'").str();
  Form form{input.kind.starts_with("optional"), input.kind.ends_with("sequence"), weights.seenAs(input.type), {Ranks::Unknown, 0}};
  if (input.hasShape)
    form.ranks = {Ranks::Equal, static_cast<int64_t>(input.dims.size())};
  if (std::string taken = takenPart(input, model.graph.inputs); !taken.empty())
    return refuse(place + ": a part of it would be called '" + taken + "', as another input is");
  SmallVector<FailureOr<Value>> arguments;
  Tensors parts;
  auto add = [&](const Twine &name, DataType declared, ArrayRef<int64_t> dims) {
    arguments.push_back(argument(name, declared, dims, function));
    if (succeeded(arguments.back()))
      parts.push_back(emitter.fromValue(*arguments.back(), weights.seenAs(declared)));
  };
  if (form.isOptional)
    add(partOf(input.name, "present"), DataType::Bool, {});
  if (form.isSequence) {
    add(partOf(input.name, "scalars"), input.type, {ShapedType::kDynamic});
    add(partOf(input.name, "shapes"), DataType::Int64,
        {ShapedType::kDynamic, input.hasShape ? form.ranks.most : ShapedType::kDynamic});
  } else {
    // What is absent has other sizes.
    add(input.name, input.type, SmallVector<int64_t>(input.dims.size(), ShapedType::kDynamic));
  }
  if (llvm::any_of(arguments, [](const FailureOr<Value> &made) { return failed(made); }))
    return failure();
  Tensor value = putTogether(emitter, parts, form);
  if (form.isSequence)
    requirePacked(emitter, form.isOptional ? *value.optional->payload.sequence : *value.sequence, place);
  Scalars s(b);
  for (auto [axis, dim] : llvm::enumerate(input.dims)) {
    if (dim.size < 0)
      continue;
    Value size = s.index(dim.size);
    std::string number = std::to_string(axis), is = std::to_string(dim.size);
    if (form.isSequence)
      emitter.require(haveSize(emitter, parts.back(), int64_t(axis), size),
                      place + ": expected elements whose dimension " + number + " is " + is);
    else
      emitter.require(
          s.either(s.negation(emitter.scalar(parts.front())), s.equal(emitter.extents.value(parts.back().shape[axis]), size)),
          place + ": expected dimension " + number + " to be " + is);
  }
  graph.define(input.name, value);
  return success();
}

/// Whether values of such a declared kind are no tensors, but imported.
static bool isCompound(StringRef kind) { return llvm::is_contained({"sequence", "optional", "optional sequence"}, kind); }

LogicalResult ModuleBuilder::declareInput(const ValueInfo &input, func::FuncOp function) {
  if (input.kind != "tensor" && !isCompound(input.kind))
    return refuse("input '" + input.name + "': expected a tensor, got " + (input.kind.empty() ? "nothing declared" : input.kind));
  bool isText = input.type == DataType::String && input.kind == "tensor";
  if (!isText && !onnx::typeOf(input.type, b.getContext()))
    return refuse("input '" + input.name + "': tensors of " + nameOf(input.type) + " are not supported");
  if (!input.hasShape && !input.kind.ends_with("sequence"))
    return refuse("input '" + input.name + "': expected a shape, for the number of dimensions must be known");
  if (isCompound(input.kind))
    return declareCompound(input, function);
  SmallVector<int64_t> dims = dimsOf(input);
  if (isText)
    dims.push_back(ShapedType::kDynamic);
  DataType type = isText ? DataType::UInt8 : input.type;
  FailureOr<Value> made = argument(input.name, type, dims, function);
  if (failed(made))
    return failure();
  Shape shape;
  for (auto [axis, dim] : llvm::enumerate(input.dims)) {
    if (dim.size >= 0) {
      shape.push_back(dim.size);
      continue;
    }
    Extent size = emitter.extents.of(tensor::DimOp::create(b, *made, axis), true);
    if (!dim.name.empty())
      if (auto [known, isNew] = named.try_emplace(dim.name, size); !isNew) {
        emitter.requireEqual(size, known->second,
                             "input '" + input.name + "': dimension " + Twine(axis) + " differs from another called '" + dim.name +
                                 "'");
        size = known->second;
      }
    shape.push_back(size);
  }
  if (isText)
    shape.push_back(emitter.extents.of(tensor::DimOp::create(b, *made, input.dims.size()), true));
  Tensor tensor = emitter.tensor(*made, weights.seenAs(type), shape);
  graph.define(input.name, isText ? asText(tensor) : tensor);
  return success();
}

/// The parts of a value that is given, in the form that is declared.
LogicalResult ModuleBuilder::takeOutput(const ValueInfo &output) {
  std::string place = ("output '" + output.name + "'").str();
  Tensor value = *graph.find(output.name);
  if (!output.kind.empty() && output.kind != "tensor" && !isCompound(output.kind))
    return refuse(place + ": expected a tensor, got " + output.kind);
  if (!isCompound(output.kind) && (value.isTensor() || value.text)) {
    results.push_back({output.name.str(), value.text ? *value.text : value});
    return success();
  }
  if (value.optional && (output.kind == "tensor" || output.kind == "sequence")) {
    if (value.optional->known() == false)
      return refuse(place + ": expected a value that is there, got an absent one");
    emitter.require(emitter.scalar(value.optional->isPresent), place + ": the optional value is absent");
    value = Tensor(value.optional->payload);
  }
  Form form = formOf(value);
  form.isOptional |= output.kind.starts_with("optional");
  if (!output.kind.empty() && form.isSequence != output.kind.ends_with("sequence"))
    return refuse(place + ": expected " + (form.isSequence ? "a tensor" : "a sequence") + " as it is declared, got " +
                  kindOf(value));
  if (form.ranks.kind == Ranks::None && output.hasShape)
    form.ranks = {Ranks::Equal, static_cast<int64_t>(output.dims.size())};
  if (std::string taken = takenPart(output, model.graph.outputs); !taken.empty())
    return refuse(place + ": a part of it would be called '" + taken + "', as another output is");
  Tensors parts;
  if (failed(takeApart(emitter, value, form, parts)))
    return refuse(place + ": " + tooManyElements);
  size_t next = 0;
  if (form.isOptional)
    results.push_back({partOf(output.name, "present"), parts[next++]});
  if (!form.isSequence)
    results.push_back({output.name.str(), parts[next]});
  else
    for (StringRef part : {"scalars", "shapes"})
      results.push_back({partOf(output.name, part), parts[next++]});
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
  for (const ValueInfo &output : model.graph.outputs)
    if (failed(takeOutput(output)))
      return failure();
  auto values = llvm::map_to_vector(results, [&](const Result &result) { return emitter.value(result.tensor); });
  b.setLoc(module.getLoc());
  func::ReturnOp::create(b, values);
  function.setType(b.getFunctionType(function.getArgumentTypes(), ValueRange(values).getTypes()));
  for (auto [index, result] : llvm::enumerate(results)) {
    function.setResultAttr(index, "moe.output", b.getStringAttr(result.name));
    if (DataType type = result.tensor.type; isUnsigned(type))
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
