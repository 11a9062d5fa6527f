// Graphs of exporters and single operators under fixtures/onnx: what the reference evaluator computes from the imported module is
// their golden result, and so it is when the module is raised, to as many routings and experts as the case says.
#include "importers/Importer.h"
#include "importers/safetensors/Header.h"
#include "passes/evaluator/Generation.h"
#include "passes/raise/Passes.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"

#include "llvm/Support/MemoryBuffer.h"

#include "gtest/gtest.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

using namespace moec;
namespace fs = std::filesystem;

namespace {

/// An IEEE half.
double halfOf(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double magnitude = exponent == 31  ? (fraction ? NAN : INFINITY)
                     : exponent == 0 ? std::ldexp(fraction, -24)
                                     : std::ldexp(1024 + fraction, exponent - 25);
  return bits >> 15 ? -magnitude : magnitude;
}

template <typename T> double elementAs(const char *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return static_cast<double>(value);
}

double elementOf(const char *bytes, llvm::StringRef type) {
  if (type == "F32")
    return elementAs<float>(bytes);
  if (type == "I64")
    return static_cast<double>(elementAs<int64_t>(bytes));
  if (type == "I32")
    return elementAs<int32_t>(bytes);
  if (type == "BOOL" || type == "U8")
    return elementAs<uint8_t>(bytes);
  if (type == "F16")
    return halfOf(static_cast<uint16_t>(elementAs<uint16_t>(bytes)));
  if (type == "BF16") {
    uint32_t bits = uint32_t(static_cast<uint16_t>(elementAs<uint16_t>(bytes))) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  ADD_FAILURE() << "a golden of type " << type.str();
  return 0;
}

using Arrays = std::map<std::string, evaluator::Tensor>;

/// The tensors whose names begin with `prefix`, by the rest of their names.
Arrays readArrays(const fs::path &path, const std::string &prefix) {
  auto folder = llvm::cantFail(importers::ModelFolder::at(path.parent_path().string()));
  auto file = llvm::cantFail(folder.open(path.filename().string()));
  auto header = llvm::cantFail(importers::safetensors::readHeader(file));
  Arrays arrays;
  for (const auto &stored : header.tensors) {
    llvm::StringRef name = stored.name.val();
    if (!name.consume_front(prefix))
      continue;
    std::string bytes(size_t(stored.bytes), '\0');
    llvm::cantFail(file.read(uint64_t(stored.offset), bytes));
    evaluator::Tensor &tensor = arrays[name.str()];
    tensor = evaluator::Tensor(std::vector<int64_t>(stored.shape.begin(), stored.shape.end()));
    size_t width = tensor.elements.empty() ? 0 : bytes.size() / tensor.elements.size();
    for (size_t i = 0; i < tensor.elements.size(); ++i)
      tensor.elements[i] = elementOf(bytes.data() + i * width, stored.type);
  }
  return arrays;
}

/// The largest difference, as a share of the largest golden value.
double distance(const evaluator::Tensor &got, const evaluator::Tensor &golden) {
  if (got.shape != golden.shape)
    return INFINITY;
  double largest = 0, difference = 0;
  for (size_t i = 0; i < golden.elements.size(); ++i) {
    largest = std::max(largest, std::abs(golden.elements[i]));
    double here = std::abs(got.elements[i] - golden.elements[i]);
    difference = std::isnan(here) ? INFINITY : std::max(difference, here);
  }
  return difference == 0 ? 0 : difference / largest;
}

/// Runs one set of a case; an empty answer is a good one.
std::string problemOf(mlir::ModuleOp module, const fs::path &arrays, size_t set, double tolerance) {
  std::string complaint, start = "set" + std::to_string(set);
  mlir::ScopedDiagnosticHandler handler(module.getContext(), [&](mlir::Diagnostic &diagnostic) { complaint += diagnostic.str(); });
  Arrays inputs = readArrays(arrays, start + ".in."), goldens = readArrays(arrays, start + ".out.");
  auto function = module.lookupSymbol<mlir::func::FuncOp>("main");
  std::vector<evaluator::Argument> arguments;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto found = inputs.find(function.getArgAttrOfType<mlir::StringAttr>(i, "moe.input").str());
    if (found == inputs.end())
      return "has an input that the case has not";
    arguments.emplace_back(found->second);
  }
  evaluator::WeightOptions options;
  options.source = evaluator::WeightOptions::Source::Files;
  evaluator::Weights weights(options);
  evaluator::Caches caches;
  auto results = evaluator::evaluate(function, arguments, weights, caches);
  if (mlir::failed(results))
    return complaint;
  Arrays outputs;
  for (auto [i, result] : llvm::enumerate(*results))
    outputs[evaluator::outputName(function, unsigned(i))] = std::move(result);
  for (const auto &[name, golden] : goldens)
    if (double far = distance(outputs[name], golden); far > tolerance)
      return "'" + name + "' is off by " + std::to_string(far) + " of its largest value";
  return "";
}

int64_t countOf(mlir::ModuleOp module, const std::string &op) {
  int64_t count = 0;
  module.walk([&](mlir::Operation *each) { count += each->getName().getStringRef() == op; });
  return count;
}

/// An empty answer says that the module has as many of `ops` as the case says.
std::string problemOfCounts(mlir::ModuleOp module, const nlohmann::json &raises, std::initializer_list<const char *> ops) {
  for (const char *op : ops)
    if (int64_t expected = raises.value(op, int64_t(0)), got = countOf(module, op); got != expected)
      return "has " + std::to_string(got) + " " + op + ", not " + std::to_string(expected);
  return "";
}

/// Raises the module. Of whole models, cases do not say how many rotary embeddings there are.
std::string problemOfRaising(mlir::ModuleOp module, const nlohmann::json &raises) {
  mlir::PassManager passes(module.getContext());
  passes::buildRaise(passes);
  if (mlir::failed(passes.run(module)))
    return "cannot be raised";
  if (std::string problem = raises.contains("moe.rope") ? problemOfCounts(module, raises, {"moe.rope"}) : ""; !problem.empty())
    return problem;
  return problemOfCounts(module, raises,
                         {"moe.route", "moe.experts", "moe.attention", "moe.latent_attention", "moe.absorbed_attention"});
}

/// An operator of `gone` of which more than shapes is left beside the ops of moe; empty when there is none.
std::string leftOf(mlir::ModuleOp module, const nlohmann::json &gone) {
  // What masks, embeddings and attention are made of as well.
  const std::set<std::string> elsewhere = {"Attention", "Expand", "GatherND", "ScatterND", "Softmax"};
  std::string left;
  module.walk([&](mlir::Operation *op) {
    llvm::StringRef dialect = op->getName().getDialectNamespace();
    if (dialect == "moe" || dialect == "tensor")
      return;
    std::string location;
    llvm::raw_string_ostream(location) << op->getLoc();
    for (const auto &type : gone)
      if (!elsewhere.contains(type) && location.find("(" + type.get<std::string>() + ")") != std::string::npos)
        left = location + " as " + op->getName().getStringRef().str();
  });
  return left;
}

/// Cases that have fewer than they say: one of their MoE nodes no output depends on, for their logits are made of the first layer's
/// norm. Those of the same graphs named `live` are made of the last.
bool isLeft(const std::string &name) { return name == "qwen3_5_moe_fp32" || name == "lfm2_moe_fp32" || name == "lfm2_moe_int4"; }

/// Cases in which the scores of the chosen weigh, beside the experts, what these are given or give, so that their TopK stays.
bool weighsBeside(const std::string &name) { return name == "route_top1_weight_on_input" || name.starts_with("lfm2_moe"); }

/// Cases that are refused, with a part of the message; all others must give their goldens.
using Refusals = std::map<std::string, std::string>;

/// Goldens computed with activations rounded to int8 (accuracy_level 4), which moves one or two elements by up to 2.3 % of the
/// largest, beyond the tolerance of the case.
bool hasRoundedGolden(const std::string &name) { return name == "lfm2_moe_int4" || name == "gpt_oss_int4"; }

void checkFolder(const char *kind, const Refusals &refusals) {
  fs::path folder = fs::path(MOEC_TEST_DATA) / "fixtures" / "onnx" / kind;
  std::ifstream file(folder / "cases.json");
  nlohmann::json cases = nlohmann::json::parse(file);
  ASSERT_FALSE(cases.empty());
  for (const auto &entry : cases) {
    std::string name = entry["name"];
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    auto module = importers::importModel((folder / (name + ".onnx")).string(), context);
    auto refusal = refusals.find(name);
    if (!module) {
      std::string message = llvm::toString(module.takeError());
      EXPECT_TRUE(refusal != refusals.end() && message.find(refusal->second) != std::string::npos) << name << ": " << message;
      continue;
    }
    EXPECT_EQ(refusal, refusals.end()) << name << " was imported";
    double tolerance = entry["tolerance"].get<double>() * (hasRoundedGolden(name) ? 1.5 : 1);
    auto checkSets = [&](const char *form) {
      for (size_t set = 0; set < entry["sets"].get<size_t>(); ++set)
        EXPECT_EQ(problemOf(**module, folder / (name + ".safetensors"), set, tolerance), "") << name << ", set " << set << form;
    };
    checkSets(", as imported");
    if (kind == llvm::StringRef("ops")) {
      EXPECT_EQ(problemOfCounts(**module, entry["raises"], {"moe.attention", "moe.rope"}), "") << name;
      continue;
    }
    std::string problem = problemOfRaising(**module, entry["raises"]);
    EXPECT_EQ(problem == "", !isLeft(name)) << name << " " << problem;
    std::string left = leftOf(**module, entry["gone"]);
    EXPECT_EQ(left == "", !weighsBeside(name)) << name << " " << left;
    checkSets(", raised");
  }
}

/// One step of `sequences`, whose caches go on: logits of all tokens.
mlir::FailureOr<evaluator::Tensor> stepOf(mlir::func::FuncOp step, const std::vector<double> &ids,
                                          const std::vector<evaluator::Sequence> &sequences, evaluator::Weights &weights,
                                          evaluator::Caches &caches) {
  std::vector<int64_t> all(ids.size());
  std::iota(all.begin(), all.end(), 0);
  std::vector<evaluator::Argument> arguments{evaluator::Tensor({int64_t(ids.size())}, ids), evaluator::Batch(sequences, all)};
  auto results = evaluator::evaluate(step, arguments, weights, caches);
  if (mlir::failed(results))
    return mlir::failure();
  return std::move(results->front());
}

/// Row `position` of all heads of a sequence of [sequences, heads, positions, columns].
std::vector<double> rowOfHeads(const evaluator::Tensor &past, int64_t sequence, int64_t position) {
  int64_t heads = past.shape[1], positions = past.shape[2], columns = past.shape[3];
  std::vector<double> row;
  for (int64_t head = 0; head < heads; ++head)
    for (int64_t column = 0; column < columns; ++column)
      row.push_back(past.elements[size_t(((sequence * heads + head) * positions + position) * columns + column)]);
  return row;
}

/// Puts what the case has of the past into the caches: keys and values, or latents and the keys that heads share, of which graphs
/// of DeepSeek-V3 have the even columns before the odd ones.
void fillCaches(const Arrays &inputs, const std::string &past, bool isLatent, bool hasHalves, evaluator::Caches &caches) {
  for (int layer = 0; layer < 2; ++layer) {
    std::string name = past + std::to_string(layer), cache = "layers." + std::to_string(layer);
    if (!inputs.contains(name + ".key"))
      return;
    const evaluator::Tensor &keys = inputs.at(name + ".key"), &values = inputs.at(name + ".value");
    for (int64_t sequence = 0; sequence < keys.shape[0]; ++sequence)
      for (int64_t position = 0; position < keys.shape[2]; ++position) {
        std::vector<double> key = rowOfHeads(keys, sequence, position), value = rowOfHeads(values, sequence, position);
        if (!isLatent) {
          caches.rows(cache + ".keys", sequence).push_back(key);
          caches.rows(cache + ".values", sequence).push_back(value);
          continue;
        }
        std::vector<double> &row = caches.rows(cache + ".latent", sequence).emplace_back(key);
        for (size_t column = 0; column < value.size(); ++column)
          row.push_back(value[hasHalves ? column / 2 + column % 2 * (value.size() / 2) : column]);
      }
  }
}

/// Runs one set of a decoder's case as steps: all new tokens at once, or one at a time. An empty answer is a good one.
std::string problemOfSteps(mlir::ModuleOp module, const fs::path &arrays, size_t set, double tolerance, bool atOnce) {
  bool isLatent = countOf(module, "moe.latent_attention") > 0;
  std::string start = "set" + std::to_string(set);
  Arrays inputs = readArrays(arrays, start + ".in."), goldens = readArrays(arrays, start + ".out.");
  auto step = module.lookupSymbol<mlir::func::FuncOp>("step");
  if (!step)
    return "is no step";
  evaluator::WeightOptions options;
  options.source = evaluator::WeightOptions::Source::Files;
  evaluator::Weights weights(options);
  evaluator::Caches caches;
  std::string pasts = inputs.contains("past.0.key") ? "past." : "past_key_values.";
  auto past = inputs.find(pasts + "0.key");
  int64_t before = past == inputs.end() ? 0 : past->second.shape[2];
  fillCaches(inputs, pasts, isLatent, arrays.stem().string().starts_with("deepseek_v3"), caches);
  const evaluator::Tensor &ids = inputs["input_ids"], &golden = goldens["logits"];
  int64_t sequences = ids.shape[0], length = ids.shape[1], width = golden.shape[2];
  int64_t count = atOnce ? length : 1;
  bool ofLast = golden.shape[1] == 1; // of every sequence
  evaluator::Tensor logits({sequences, length, width});
  for (int64_t first = 0; first < length; first += count) {
    std::vector<double> tokens;
    for (int64_t sequence = 0; sequence < sequences; ++sequence)
      tokens.insert(tokens.end(), ids.row(sequence).begin() + first, ids.row(sequence).begin() + first + count);
    auto part = stepOf(step, tokens, std::vector<evaluator::Sequence>(size_t(sequences), {before + first, count}), weights, caches);
    if (mlir::failed(part))
      return "cannot be evaluated";
    for (int64_t token = 0; token < part->rows(); ++token) {
      int64_t row = token / count * length + first + token % count;
      std::copy_n(part->row(token).begin(), width, logits.row(row).begin());
    }
  }
  if (ofLast) {
    evaluator::Tensor last(golden.shape);
    for (int64_t sequence = 0; sequence < sequences; ++sequence)
      std::copy_n(logits.row((sequence + 1) * length - 1).begin(), width, last.row(sequence).begin());
    logits = std::move(last);
  }
  double far = distance(logits, golden);
  return far > tolerance ? "logits are off by " + std::to_string(far) + " of the largest" : "";
}

/// `functions` are the cases that stay functions; of `heads`, keys and values of the past are those of heads, which are not those
/// of any latents, so that only the first set, without a past, says something.
void checkSteps(const char *kind, const std::set<std::string> &functions, const std::set<std::string> &heads = {}) {
  fs::path folder = fs::path(MOEC_TEST_DATA) / "fixtures" / "onnx" / kind;
  std::ifstream file(folder / "cases.json");
  for (const auto &entry : nlohmann::json::parse(file)) {
    std::string name = entry["name"];
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    auto module = llvm::cantFail(importers::importModel((folder / (name + ".onnx")).string(), context, /*widens=*/true));
    mlir::PassManager passes(&context);
    passes::buildRaiseStep(passes);
    ASSERT_TRUE(mlir::succeeded(passes.run(*module))) << name;
    if (functions.contains(name)) {
      EXPECT_TRUE(module->lookupSymbol("main")) << name << " is a step";
      continue;
    }
    for (size_t set = 0; set < (heads.contains(name) ? 1 : entry["sets"].get<size_t>()); ++set)
      for (bool atOnce : {true, false})
        EXPECT_EQ(problemOfSteps(*module, folder / (name + ".safetensors"), set, entry["tolerance"], atOnce), "")
            << name << ", set " << set << (atOnce ? ", at once" : ", token by token");
  }
}

TEST(OnnxSteps, Decoders) { checkSteps("decoders", {}); }

TEST(OnnxSteps, Mobius) { checkSteps("mobius", {}, {"deepseek_v2", "deepseek_v3"}); }

TEST(OnnxSteps, Forms) { checkSteps("forms", {"longrope_step", "tables_longrope_by_length", "not_heads_of_latents"}); }

TEST(OnnxCases, Operators) { checkFolder("ops", {{"qmoe_int4_b32_weights_prepacked_1", "weights_prepacked"}}); }

/// Below 0 a limit of what the activation gives is none of what it is given.
TEST(OnnxCases, NegativeLimitAfterActivation) {
  fs::path graph = fs::path(MOEC_TEST_DATA) / "fixtures" / "onnx" / "ops" / "moe_swiglu_limit_after_activation.onnx";
  std::string bytes = llvm::cantFail(llvm::errorOrToExpected(llvm::MemoryBuffer::getFile(graph.string())))->getBuffer().str();
  std::string attribute = "swiglu_limit\x15"; // a field of four bytes follows, of which the last has the sign
  size_t at = bytes.find(attribute);
  ASSERT_NE(at, std::string::npos);
  bytes[at + attribute.size() + 3] ^= char(0x80);
  fs::path edited = fs::path(testing::TempDir()) / "negative_limit.onnx";
  std::ofstream(edited, std::ios::binary) << bytes;
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto module = importers::importModel(edited.string(), context);
  ASSERT_FALSE(module);
  EXPECT_NE(llvm::toString(module.takeError()).find("expected a finite limit and an alpha, neither below 0, got -0.75"),
            std::string::npos);
}

TEST(OnnxCases, Patterns) { checkFolder("patterns", {}); }
TEST(OnnxCases, Control) {
  checkFolder("control", {{"not_inside", "node 'SequenceAt_y' (SequenceAt): position: expected one of a sequence of 2, got 2"},
                          {"not_a_sequence", "node 'SequenceAt_y' (SequenceAt): expected a sequence, got a tensor"},
                          {"not_a_tensor", "node 'Relu_y' (Relu): input 0: expected a tensor, got a sequence"},
                          {"not_of_one_rank", "expected a sequence whose elements have the same number of dimensions"},
                          {"not_there", "expected a value that is there, got an absent one"},
                          {"not_few", "sequences have more elements than the limit"},
                          {"not_collected", "(Loop): body: expected tensors to collect, got a sequence"},
                          {"not_nested", "input 's': expected a tensor, got sequence of sequences"},
                          {"not_twice", "input 'o': expected a tensor, got optional of an optional"},
                          {"not_a_map", "input 'o': expected a tensor, got optional map"},
                          {"not_given_twice", "output 'o': expected a tensor, got optional of an optional"},
                          {"not_named_apart", "a part of it would be called 's.shapes', as another input is"}});
}

/// Positions and sizes outside of what they are of, and sequences whose parts do not fit each other, end the run.
TEST(OnnxCases, SequencesEndTheRun) {
  fs::path folder = fs::path(MOEC_TEST_DATA) / "fixtures" / "onnx" / "control";
  for (auto [name, message] : {std::pair("ends_outside", "(SequenceAt): position: lies outside of the sequence"),
                               std::pair("ends_below", "(SequenceAt): position: lies outside of the sequence"),
                               std::pair("ends_of_more", "input 's': expected as many scalars as the elements' shapes say"),
                               std::pair("ends_of_less", "input 's': expected sizes of elements of at least 0"),
                               std::pair("ends_of_nothing", "(Scan): expected no sequence of length 0"),
                               std::pair("ends_of_other_sizes", "input 's': expected elements whose dimension 1 is 2"),
                               std::pair("ends_of_another_size", "input 'o': expected dimension 1 to be 2"),
                               std::pair("ends_split", "split: expected sizes of at least 0 and at most the axis's")}) {
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    auto module = llvm::cantFail(importers::importModel((folder / (std::string(name) + ".onnx")).string(), context));
    std::string problem = problemOf(*module, folder / (std::string(name) + ".safetensors"), 0, 0);
    EXPECT_NE(problem.find(message), std::string::npos) << name << ": " << problem;
  }
}

TEST(OnnxCases, Decoders) { checkFolder("decoders", {}); }
TEST(OnnxCases, GenAI) { checkFolder("genai", {}); }
TEST(OnnxCases, Mobius) { checkFolder("mobius", {}); }

} // namespace
