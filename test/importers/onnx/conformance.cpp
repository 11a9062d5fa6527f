// The page of ONNX's node tests: what each gives in the reference evaluator, and how many of each operator pass.
// Usage: onnx-conformance FOLDER     of test folders as onnx's backend tests have them: model.onnx, test_data_set_0/input_0.pb, ...
#include "importers/Importer.h"
#include "importers/onnx/Reader.h"
#include "importers/onnx/TensorReader.h"
#include "passes/evaluator/Evaluator.h"

#include "mlir/IR/MLIRContext.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <filesystem>
#include <map>

using namespace moec;
using namespace moec::importers;
namespace fs = std::filesystem;

namespace {

/// What exports of decoders are made of.
constexpr llvm::StringRef ofDecoders =
    "Abs Add And ArgMax Attention Cast CastLike CausalConvWithState Clip Concat Constant ConstantOfShape Cos CumSum "
    "DequantizeLinear Div DynamicQuantizeLinear Einsum Equal Erf Exp Expand Flatten FlexAttention Gather "
    "GatherElements GatherND Gelu Gemm Greater GreaterOrEqual HardSwish Identity If IsInf IsNaN LayerNormalization "
    "Less LessOrEqual LinearAttention Log LogSoftmax Loop MatMul MatMulInteger Max Mean Min Mod Mul Neg NonZero Not "
    "OneHot Or Pad Pow QuantizeLinear RMSNormalization Range Reciprocal ReduceMax ReduceMean ReduceMin ReduceSum "
    "ReduceSumSquare Relu Reshape RotaryEmbedding Round Scan ScatterElements ScatterND Shape Sigmoid Sin Size Slice "
    "Softmax Softplus Split Sqrt Squeeze Sub Sum SwiGLU Swish Tanh TensorScatter Tile TopK Transpose Trilu Unsqueeze "
    "Where";

enum class Verdict { Passes, Refused, Wrong };

struct Outcome {
  std::string name, op;
  Verdict verdict;
  std::string message;
};

/// The number that `bits` stand for; an integer without a sign as its bits are with one, as functions take it.
double numberOf(uint64_t bits, onnx::DataType type, mlir::Type element) {
  llvm::APInt integer(onnx::bitsOf(type), bits, /*isSigned=*/false, /*implicitTrunc=*/true);
  if (auto real = llvm::dyn_cast<mlir::FloatType>(element)) {
    llvm::APFloat value(real.getFloatSemantics(), integer);
    bool loses = false;
    value.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &loses);
    return value.convertToDouble();
  }
  return type == onnx::DataType::Bool ? double(bits != 0) : double(integer.getSExtValue());
}

struct Part {
  evaluator::Tensor tensor;
  onnx::DataType type;
};
using Parts = std::vector<Part>;

/// A value of a test, in a file of its own.
class Value {
public:
  Value(const fs::path &path) : name(path.filename().string()), folder(ModelFolder::at(path.parent_path().string())) {
    auto read = folder ? folder->readText(name) : folder.takeError();
    if (!read)
      llvm::consumeError(read.takeError());
    else
      text = std::move(*read);
  }

  /// What functions take or give for a value that is declared as `kind`, of the types from `expected` on; nothing for what is of
  /// another kind, or text. `columns`: how many sizes elements of a sequence are to have, where the type leaves it open.
  std::optional<Parts> parts(llvm::StringRef kind, llvm::ArrayRef<mlir::Type> expected, int64_t columns) {
    return text ? parts(text->getBuffer(), kind, expected, columns) : std::nullopt;
  }

private:
  std::optional<Parts> parts(llvm::StringRef bytes, llvm::StringRef kind, llvm::ArrayRef<mlir::Type> expected, int64_t columns) {
    if (kind.starts_with("optional"))
      return optional(bytes, kind, expected, columns);
    if (kind == "sequence")
      return expected.size() < 2 ? std::nullopt : sequence(bytes, expected, columns);
    auto only = expected.empty() ? std::nullopt : kind == "text" ? strings(bytes) : tensor(bytes, expected.front());
    return only ? std::optional<Parts>(Parts{*only}) : std::nullopt;
  }
  std::optional<Part> tensor(llvm::StringRef bytes, mlir::Type expected);
  std::optional<Part> strings(llvm::StringRef bytes);
  std::optional<Parts> sequence(llvm::StringRef bytes, llvm::ArrayRef<mlir::Type> expected, int64_t columns);
  std::optional<Parts> optional(llvm::StringRef bytes, llvm::StringRef kind, llvm::ArrayRef<mlir::Type> expected, int64_t columns);

  std::string name, problem;
  llvm::Expected<ModelFolder> folder;
  std::unique_ptr<llvm::MemoryBuffer> text;
};

/// Old tests have the bits of bf16 as integers: where it is to be `expected`, they are.
std::optional<Part> Value::tensor(llvm::StringRef bytes, mlir::Type expected) {
  onnx::Model model;
  onnx::Limits limits;
  onnx::Budget budget{limits.items, limits.names, limits.dims, limits.decoded};
  onnx::TensorReader reader(bytes, name, *folder, model, budget, limits, problem);
  onnx::StoredTensor stored = reader.read(protobuf::Message(bytes, problem));
  auto ranked = llvm::dyn_cast<mlir::RankedTensorType>(expected);
  onnx::DataType type =
      stored.type == onnx::DataType::UInt16 && ranked && ranked.getElementType().isBF16() ? onnx::DataType::BFloat16 : stored.type;
  mlir::Type element = problem.empty() ? onnx::typeOf(type, expected.getContext()) : mlir::Type();
  unsigned width = element ? onnx::bitsOf(type) : 0;
  if (!width)
    return std::nullopt;
  evaluator::Tensor tensor(std::vector<int64_t>(stored.dims.begin(), stored.dims.end()));
  for (size_t i = 0; i < tensor.elements.size(); ++i) {
    uint64_t bits = 0;
    for (unsigned bit = 0; bit < width; ++bit) {
      size_t at = i * width + bit;
      bits |= uint64_t(uint8_t(stored.data[at / 8]) >> at % 8 & 1) << bit;
    }
    tensor.elements[i] = numberOf(bits, type, element);
  }
  return Part{tensor, type};
}

/// The bytes of each, as many as the longest has.
std::optional<Part> Value::strings(llvm::StringRef bytes) {
  std::vector<int64_t> shape;
  std::vector<llvm::StringRef> all;
  size_t width = 0, count = 1;
  for (protobuf::Message message(bytes, problem); message.next();)
    if (message.field() == 1)
      message.varints([&](uint64_t size) { shape.push_back(int64_t(size)); });
    else if (message.field() == 6)
      width = std::max(width, all.emplace_back(message.bytes()).size());
  for (int64_t size : shape)
    count *= size_t(size);
  if (count != all.size())
    return std::nullopt;
  shape.push_back(int64_t(width));
  evaluator::Tensor tensor(shape);
  for (auto [i, text] : llvm::enumerate(all))
    for (auto [j, byte] : llvm::enumerate(text))
      tensor.elements[i * width + j] = double(int8_t(byte));
  return Part{tensor, onnx::DataType::UInt8};
}

/// The scalars of all elements, and their sizes.
std::optional<Parts> Value::sequence(llvm::StringRef bytes, llvm::ArrayRef<mlir::Type> expected, int64_t columns) {
  std::vector<Part> elements;
  for (protobuf::Message message(bytes, problem); message.next();)
    if (message.field() == 3) {
      auto element = tensor(message.bytes(), expected.front());
      if (!element)
        return std::nullopt;
      elements.push_back(*element);
    }
  int64_t declared = llvm::cast<mlir::RankedTensorType>(expected[1]).getDimSize(1);
  columns = declared < 0 ? columns : declared;
  evaluator::Tensor scalars({0});
  for (const Part &element : elements) {
    columns = std::max(columns, int64_t(element.tensor.shape.size()));
    llvm::append_range(scalars.elements, element.tensor.elements);
  }
  scalars.shape[0] = int64_t(scalars.elements.size());
  evaluator::Tensor shapes({int64_t(elements.size()), columns});
  for (auto [i, element] : llvm::enumerate(elements)) {
    const std::vector<int64_t> &shape = element.tensor.shape;
    std::fill_n(shapes.elements.begin() + int64_t(i) * columns, columns, -1);
    std::copy(shape.begin(), shape.end(), shapes.elements.begin() + int64_t(i + 1) * columns - int64_t(shape.size()));
  }
  return Parts{{scalars, elements.empty() ? onnx::DataType::Float32 : elements.front().type}, {shapes, onnx::DataType::Int64}};
}

/// Whether there is a value, and it.
std::optional<Parts> Value::optional(llvm::StringRef bytes, llvm::StringRef kind, llvm::ArrayRef<mlir::Type> expected,
                                     int64_t columns) {
  bool isSequence = kind.ends_with("sequence"), isPresent = false;
  llvm::StringRef inner;
  for (protobuf::Message message(bytes, problem); message.next();)
    if (message.field() == (isSequence ? 5u : 3u)) {
      inner = message.bytes();
      isPresent = true;
    }
  if (expected.size() < 2)
    return std::nullopt;
  expected = expected.drop_front();
  std::optional<Parts> result = Parts();
  if (isPresent || isSequence) // nothing reads as no elements
    result = parts(inner, isSequence ? "sequence" : "tensor", expected, columns);
  else
    result->push_back(
        {evaluator::Tensor(std::vector<int64_t>(size_t(llvm::cast<mlir::RankedTensorType>(expected.front()).getRank()), 0)),
         onnx::DataType::Float32});
  if (!result)
    return std::nullopt;
  evaluator::Tensor flag((std::vector<int64_t>()));
  flag.elements.assign(1, isPresent);
  result->insert(result->begin(), {flag, onnx::DataType::Bool});
  return result;
}

/// Why `got` is not `expected`, by onnx's own bounds, or two units in the last place of a narrower type; empty when it is. What is
/// rounded to an integer may be the next one: the evaluator rounds what f64 gives.
std::string difference(const evaluator::Tensor &got, const evaluator::Tensor &expected, onnx::DataType type, bool isRounded) {
  if (got.shape != expected.shape)
    return "another shape";
  double relative = type == onnx::DataType::BFloat16 ? 0x1p-6 : type == onnx::DataType::Float16 ? 0x1p-9 : 1e-3;
  for (size_t i = 0; i < expected.elements.size(); ++i) {
    double a = got.elements[i], b = expected.elements[i];
    if (onnx::isInteger(type) && a != b) // integers without a sign may come as either
      a = std::remainder(a - b, std::ldexp(1, int(onnx::bitsOf(type)))) + b;
    bool agrees = a == b || (isRounded && onnx::isInteger(type) && std::abs(a - b) == 1) || (std::isnan(a) && std::isnan(b)) ||
                  (std::isfinite(b) && std::abs(a - b) <= 1e-7 + relative * std::abs(b));
    if (!agrees)
      return "element " + std::to_string(i) + " is " + std::to_string(a) + ", not " + std::to_string(b);
  }
  return "";
}

std::vector<fs::path> sorted(const fs::path &folder, const std::string &prefix) {
  std::vector<fs::path> found;
  for (const auto &entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().rfind(prefix, 0) == 0)
      found.push_back(entry.path());
  // input_10 comes behind input_9.
  llvm::sort(found, [](const fs::path &a, const fs::path &b) {
    return llvm::StringRef(a.filename().string()).compare_numeric(b.filename().string()) < 0;
  });
  return found;
}

/// A message as a page has it: without the path, and on one line.
std::string tidied(std::string message, const fs::path &model) {
  if (message.rfind(model.string() + ": ", 0) == 0)
    message.erase(0, model.string().size() + 2);
  for (char &c : message)
    c = c == '\n' || c == '|' ? ' ' : c;
  return message;
}

llvm::StringRef kindOf(const onnx::ValueInfo &value) {
  return value.kind == "tensor" && value.type == onnx::DataType::String ? "text" : value.kind;
}

/// Those that are given when it runs.
std::vector<const onnx::ValueInfo *> inputsOf(const onnx::Graph &graph) {
  std::vector<const onnx::ValueInfo *> inputs;
  for (const onnx::ValueInfo &input : graph.inputs)
    if (llvm::none_of(graph.initializers, [&](const onnx::StoredTensor &stored) { return stored.name == input.name; }))
      inputs.push_back(&input);
  return inputs;
}

void run(const fs::path &folder, Outcome &outcome) {
  fs::path path = folder / "model.onnx";
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto module = importModel(path.string(), context);
  if (!module) {
    outcome.verdict = Verdict::Refused;
    outcome.message = tidied(llvm::toString(module.takeError()), path);
    return;
  }
  std::string complaint;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    if (complaint.empty())
      complaint = diagnostic.str();
  });
  auto function = (*module)->lookupSymbol<mlir::func::FuncOp>("main");
  auto place = ModelFolder::at(folder.string());
  auto model = llvm::cantFail(onnx::openModel(*place, "model.onnx"));
  const onnx::Graph &graph = model->graph;
  for (const fs::path &set : sorted(folder, "test_data_set_")) {
    std::vector<evaluator::Argument> arguments;
    llvm::ArrayRef<mlir::Type> types = function.getArgumentTypes();
    for (auto [input, file] : llvm::zip(inputsOf(graph), sorted(set, "input_"))) {
      auto parts = Value(file).parts(kindOf(*input), types.drop_front(std::min(types.size(), arguments.size())), 0);
      if (!parts)
        break; // and then there are too few
      for (Part &part : *parts)
        arguments.emplace_back(std::move(part.tensor));
    }
    evaluator::Weights weights(evaluator::WeightOptions{.source = evaluator::WeightOptions::Source::Files});
    evaluator::Caches caches;
    evaluator::Budget budget(uint64_t(1) << 32);
    auto results = evaluator::evaluate(function, arguments, weights, caches, /*trace=*/nullptr, &budget);
    std::string wrong = mlir::succeeded(results) ? "" : complaint.empty() ? "cannot be evaluated" : complaint;
    if (wrong.rfind("argument ", 0) == 0 ||
        wrong.rfind("expected ", 0) == 0) { // what the test gives is not what its model declares
      outcome.verdict = Verdict::Refused;
      outcome.message = tidied(wrong, path);
      return;
    }
    size_t next = 0;
    for (auto [output, file] : llvm::zip(graph.outputs, sorted(set, "output_"))) {
      if (!wrong.empty())
        break;
      // Of how many sizes elements have, the shapes come last.
      llvm::ArrayRef<mlir::Type> rest = function.getResultTypes().drop_front(next);
      size_t shapes = next + (output.kind == "sequence" ? 1 : 2);
      bool hasShapes = output.kind.ends_with("sequence") && shapes < results->size();
      auto expected = Value(file).parts(kindOf(output), rest, hasShapes ? (*results)[shapes].shape.back() : 0);
      if (!expected)
        wrong = "an output of another kind than is declared";
      for (size_t i = 0; wrong.empty() && i < expected->size(); ++i, ++next) {
        bool isRounded =
            llvm::StringRef(outcome.op).contains("QuantizeLinear") || llvm::StringRef(outcome.name).contains("quantizelinear");
        wrong = difference((*results)[next], (*expected)[i].tensor, (*expected)[i].type, isRounded);
      }
    }
    if (!wrong.empty()) {
      outcome.verdict = Verdict::Wrong;
      outcome.message = tidied(wrong, path);
      return;
    }
  }
}

/// The operator that a test is of: what its name says it expands, or its only node.
std::string operatorOf(const fs::path &folder) {
  auto place = importers::ModelFolder::at(folder.string());
  auto model = place ? onnx::openModel(*place, "model.onnx") : place.takeError();
  if (!model) {
    llvm::consumeError(model.takeError());
    return "(unreadable)";
  }
  const auto &nodes = (*model)->graph.nodes;
  return nodes.size() == 1 ? nodes.front().type.str() : "(several)";
}

const char *nameOf(Verdict verdict) {
  return verdict == Verdict::Passes ? "passes" : verdict == Verdict::Refused ? "refused" : "wrong";
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2 || !fs::is_directory(argv[1])) {
    llvm::errs() << "usage: onnx-conformance FOLDER, of folders with model.onnx and test_data_set_0\n";
    return 2;
  }
  std::vector<Outcome> outcomes;
  for (const fs::path &folder : sorted(argv[1], ""))
    if (fs::exists(folder / "model.onnx")) {
      Outcome outcome{folder.filename().string(), operatorOf(folder), Verdict::Passes, ""};
      run(folder, outcome);
      outcomes.push_back(std::move(outcome));
    }
  std::map<std::string, std::map<Verdict, int>> counts;
  std::map<Verdict, int> all, decoders;
  llvm::SmallVector<llvm::StringRef> names;
  ofDecoders.split(names, ' ');
  for (const Outcome &outcome : outcomes) {
    if (llvm::is_contained(names, outcome.op))
      ++decoders[outcome.verdict];
    ++counts[outcome.op][outcome.verdict];
    ++all[outcome.verdict];
  }
  llvm::raw_ostream &out = llvm::outs();
  out << "<!-- Written by test/onnx-conformance; don't edit -->\n\n# ONNX node tests\n\n"
      << "Of " << outcomes.size() << " tests " << all[Verdict::Passes] << " pass, " << all[Verdict::Refused] << " are refused, "
      << all[Verdict::Wrong] << " are wrong. Of those of the operators that decoders are made of " << decoders[Verdict::Passes]
      << " pass, " << decoders[Verdict::Refused] << " are refused, " << decoders[Verdict::Wrong]
      << " are wrong.\n\n| operator | passes | refused | wrong |\n|---|---|---|---|\n";
  for (auto &[op, count] : counts)
    out << "| " << op << " | " << count[Verdict::Passes] << " | " << count[Verdict::Refused] << " | " << count[Verdict::Wrong]
        << " |\n";
  out << "\n| test | | |\n|---|---|---|\n";
  for (const Outcome &outcome : outcomes)
    out << "| " << outcome.name << " | " << nameOf(outcome.verdict) << " | " << outcome.message << " |\n";
  return all[Verdict::Wrong] ? 1 : 0;
}
