// Runs a function of named tensors: arrays in, arrays out.
#include "tools/moe-run/FunctionRun.h"

#include "runtime/Function.h"
#include "runtime/npy/TensorFile.h"
#include "tools/moe-run/Expectation.h"

#include <chrono>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

using namespace moec;
using namespace moec::run;
using namespace moec::runtime;

namespace {
using Descriptions = flatbuffers::Vector<flatbuffers::Offset<artifact::TensorDescription>>;

std::string describe(const artifact::TensorDescription &tensor) {
  return runtime::describe(tensor.element(), {tensor.shape()->data(), tensor.shape()->size()});
}

std::string namesOf(const Descriptions &tensors) {
  std::string names;
  for (const artifact::TensorDescription *tensor : tensors)
    names += (names.empty() ? "" : ", ") + tensor->name()->str() + " (" + describe(*tensor) + ")";
  return names.empty() ? "none" : names;
}

/// The file for each of `tensors` that arguments NAME=@FILE of `option` give. FILE alone is for the only tensor.
Result<std::map<uint32_t, std::string>> filesOf(const char *option, const std::vector<std::string> &arguments,
                                                const Descriptions &tensors) {
  std::map<uint32_t, std::string> files;
  for (const std::string &argument : arguments) {
    size_t split = argument.rfind("=@");
    std::string name = argument.substr(0, split);
    auto refuse = [&](const std::string &why) {
      return Status::invalidArgument(std::string(option) + " " + argument + ": " + why);
    };
    uint32_t index = 0;
    if (split == std::string::npos && std::string_view(option) == "--expect" && tensors.size() == 1) {
      files[0] = argument;
      continue;
    }
    if (split == std::string::npos || split + 2 == argument.size())
      return refuse("expected NAME=@FILE.npy");
    while (index < tensors.size() && tensors.Get(index)->name()->string_view() != name)
      ++index;
    if (index == tensors.size())
      return refuse("no '" + name + "'; the model has " + namesOf(tensors));
    if (!files.emplace(index, argument.substr(split + 2)).second)
      return refuse("'" + name + "' is given twice");
  }
  return files;
}

Result<std::vector<Tensor>> readInputs(const Options &options, const Descriptions &described) {
  Result<std::map<uint32_t, std::string>> files = filesOf("--input", options.inputs, described);
  if (!files.ok())
    return files.status();
  std::vector<Tensor> inputs;
  for (uint32_t index = 0; index < described.size(); ++index) {
    const artifact::TensorDescription &expected = *described.Get(index);
    std::string name = expected.name()->str();
    if (!files->contains(index))
      return Status::invalidArgument("input '" + name + "' is missing: expected --input " + name + "=@FILE.npy with " +
                                     describe(expected));
    Result<Tensor> tensor = readTensor((*files)[index], expected.element());
    if (!tensor.ok())
      return Status(tensor.status().code(), "input '" + name + "': " + tensor.status().message());
    inputs.push_back(std::move(*tensor));
  }
  return inputs;
}

/// The golden array of an output, in the form that comparisons take.
Result<Expectation> readExpectation(const Options &options, const std::string &path, const Tensor &output) {
  Result<NpyFile> file = readNpyFile(path);
  if (!file.ok())
    return file.status();
  // References may be of doubles, whatever the output's type.
  Result<Tensor> golden = readTensor(path, file->type == "<f8" ? artifact::ElementType::f64 : output.element);
  if (!golden.ok())
    return golden.status();
  if (golden->shape != output.shape)
    return Status::invalidData(path + ": expected the output's " + runtime::describe(output.element, output.shape) + ", got " +
                               runtime::describe(golden->element, golden->shape));
  return Expectation(golden->shape, doublesOf(*golden), options.absoluteTolerance, options.relativeTolerance);
}

void print(const Options &options, const Descriptions &described, const std::vector<Tensor> &outputs, double seconds,
           const Function &function) {
  nlohmann::ordered_json result = {{"outputs", nlohmann::ordered_json::object()}, {"timings", {{"run_seconds", seconds}}}};
  for (uint32_t index = 0; index < described.size(); ++index) {
    const Tensor &output = outputs[index];
    std::string name = described.Get(index)->name()->str();
    if (!options.json)
      std::printf("%s %s\n", name.c_str(), runtime::describe(output.element, output.shape).c_str());
    result["outputs"][name] = {{"type", artifact::EnumNameElementType(output.element)}, {"shape", output.shape}};
  }
  if (options.json)
    std::printf("%s\n", result.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  else
    std::fprintf(stderr, "moe-run: %.3f s; %s\n", seconds, function.isa().c_str());
}
} // namespace

Result<int> moec::run::runFunction(const Options &options, const Artifact &artifact) {
  if (options.device != "cpu")
    return Status::invalidArgument("--device " + options.device + ": functions run on the processor; leave it out");
  std::unique_ptr<Function> function;
  MOEC_RETURN_IF_ERROR(take(function, Function::create(artifact, "", {.isa = options.isa})));
  const artifact::Function &description = function->description();
  for (const std::string *text : {&options.prompt, &options.promptFile, &options.ids, &options.idsFile, &options.tokenize,
                                  &options.perplexity, &options.logits, &options.routing})
    if (!text->empty() || options.chat)
      return Status::invalidArgument("the model is no language model; give what it takes with --input: " +
                                     namesOf(*description.inputs()));
  std::map<uint32_t, std::string> outputFiles, goldenFiles;
  MOEC_RETURN_IF_ERROR(take(outputFiles, filesOf("--output", options.outputs, *description.outputs())));
  MOEC_RETURN_IF_ERROR(take(goldenFiles, filesOf("--expect", options.expect, *description.outputs())));
  std::vector<Tensor> inputs, outputs;
  MOEC_RETURN_IF_ERROR(take(inputs, readInputs(options, *description.inputs())));

  auto start = std::chrono::steady_clock::now();
  MOEC_RETURN_IF_ERROR(take(outputs, function->run(inputs)));
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  for (const auto &[index, path] : outputFiles)
    MOEC_RETURN_IF_ERROR(writeTensor(path, outputs[index]));
  print(options, *description.outputs(), outputs, seconds, *function);
  int code = 0;
  for (const auto &[index, path] : goldenFiles) {
    Result<Expectation> expectation = readExpectation(options, path, outputs[index]);
    if (!expectation.ok())
      return expectation.status();
    expectation->compare(doublesOf(outputs[index]));
    std::fprintf(stderr, "moe-run: %s: %s\n", description.outputs()->Get(index)->name()->c_str(), expectation->report().c_str());
    code = expectation->holds() ? code : 1;
  }
  return code;
}
