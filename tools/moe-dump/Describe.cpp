// What is in an artifact, as JSON or as text.
#include "tools/moe-dump/Describe.h"

#include "runtime/Function.h"
#include "tools/moe-dump/GpuCode.h"

#include <cstdio>
#include <flatbuffers/minireflect.h>
#include <map>

using namespace moec;
using namespace moec::runtime;
using Json = nlohmann::ordered_json;

namespace {
std::string hex(const artifact::Hash128 &hash) {
  char text[40];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash.high()),
                static_cast<unsigned long long>(hash.low()));
  return text;
}

uint64_t weightBytes(const artifact::Manifest &manifest, bool embedded) {
  uint64_t bytes = 0;
  for (const artifact::Weight *weight : *manifest.weights())
    for (const artifact::WeightRun *run : *weight->runs())
      bytes += (run->source() < 0) == embedded ? run->bytes() * run->times() : 0;
  return bytes;
}

Json describeModel(const artifact::Manifest &manifest) {
  const artifact::Model &model = *manifest.model();
  std::vector<int32_t> ends;
  if (model.eos_ids())
    ends.assign(model.eos_ids()->begin(), model.eos_ids()->end());
  return {{"family", model.family()->str()},
          {"parameters", model.parameters()},
          {"layers", model.layers()},
          {"vocabulary", model.vocabulary()},
          {"compute", model.compute()->str()},
          {"max_sequence", model.max_sequence()},
          {"max_batch", model.max_batch()},
          {"page_size", model.page_size()},
          {"bos_id", model.bos_id()},
          {"eos_ids", ends},
          {"cache_bytes_per_position", cacheBytesPerPosition(manifest)},
          {"embedded_weight_bytes", weightBytes(manifest, true)},
          {"external_weight_bytes", weightBytes(manifest, false)}};
}

Json describeRouting(const artifact::RoutingRecord &record) {
  Json routing = {
      {"layer", record.layer()}, {"experts", record.experts()}, {"k", record.k()}, {"routing", record.description()->str()}};
  if (const artifact::RoutingSemantics *semantics = record.semantics())
    routing.update({{"score", artifact::EnumNameScore(semantics->score())},
                    {"groups", semantics->groups()},
                    {"kept_groups", semantics->kept_groups()},
                    {"group_score", artifact::EnumNameGroupScore(semantics->group_score())},
                    {"mask_fill", artifact::EnumNameMaskFill(semantics->mask_fill())},
                    {"renormalize", semantics->renormalize()},
                    {"epsilon", semantics->epsilon()},
                    {"scale", semantics->scale()},
                    {"selection_bias", semantics->selection_bias()},
                    {"token_table", semantics->token_table()}});
  return routing;
}

Json describeProgram(const artifact::Manifest &manifest, const artifact::Program &program) {
  std::map<uint32_t, uint64_t> calls;
  uint64_t flops = 0, bytes = 0;
  for (const artifact::Launch *launch : *program.launches()) {
    ++calls[launch->kernel()];
    flops += launch->flops_per_unit();
    bytes += launch->bytes_per_unit();
  }
  Json kernels = Json::array();
  for (auto [kernel, count] : calls)
    kernels.push_back({{"kernel", manifest.kernels()->Get(kernel)->symbol()->str()}, {"launches", count}});
  return {{"name", program.name()->str()},
          {"launches", program.launches()->size()},
          {"max_tokens", program.max_tokens()},
          {"max_outputs", program.max_outputs()},
          {"max_sequences", program.max_sequences()},
          {"arena_bytes", program.arena_bytes()},
          {"flops_per_unit", flops},
          {"bytes_per_unit", bytes},
          {"kernels", kernels}};
}

Json describeTensors(const flatbuffers::Vector<flatbuffers::Offset<artifact::TensorDescription>> &tensors) {
  Json described = Json::array();
  for (const artifact::TensorDescription *tensor : tensors)
    described.push_back({{"name", tensor->name()->str()},
                         {"tensor", describe(tensor->element(), {tensor->shape()->data(), tensor->shape()->size()})}});
  return described;
}

Json describeFunction(const artifact::Manifest &manifest, const artifact::Function &function) {
  Json weights = Json::array();
  for (uint32_t index : *function.weights())
    weights.push_back(manifest.weights()->Get(index)->name()->str());
  return {{"symbol", function.symbol()->str()},
          {"inputs", describeTensors(*function.inputs())},
          {"outputs", describeTensors(*function.outputs())},
          {"weights", weights},
          {"operations", function.summary() ? function.summary()->str() : ""}};
}

std::string functionPage(const Json &function) {
  std::string text = "\nfunction " + dump::plain(function["symbol"]) + ": " + dump::plain(function["operations"]) + "\n";
  for (const char *kind : {"input", "output"})
    for (const Json &tensor : function[std::string(kind) + "s"])
      text += std::string("  ") + kind + " " + dump::plain(tensor["name"]) + ": " + dump::plain(tensor["tensor"]) + "\n";
  return text + "  " + std::to_string(function["weights"].size()) + " weights\n";
}
} // namespace

Json moec::dump::describe(const Artifact &artifact) {
  const artifact::Manifest &manifest = artifact.manifest();
  Json sections = Json::array(), kernels = Json::array(), code = Json::array(), programs = Json::array(), functions = Json::array(),
       routing = Json::array(), files = Json::array(), provenance = Json::array();
  for (const artifact::Section *section : *manifest.sections())
    sections.push_back({{"name", section->name()->str()},
                        {"offset", section->offset()},
                        {"bytes", section->length()},
                        {"xxh3_128", hex(*section->hash())}});
  for (const artifact::Kernel *kernel : *manifest.kernels())
    kernels.push_back({{"symbol", kernel->symbol()->str()},
                       {"summary", kernel->summary() ? kernel->summary()->str() : ""},
                       {"scratch_bytes", kernel->scratch_bytes()},
                       {"ir", kernel->ir() ? kernel->ir()->str() : ""}});
  for (const artifact::CodeVariant *variant : *manifest.code()) {
    Json features = Json::array();
    for (const auto *feature : *variant->features())
      features.push_back(feature->str());
    const artifact::Section *section = manifest.sections()->Get(variant->section());
    code.push_back({{"isa", variant->isa()->str()},
                    {"section", section->name()->str()},
                    {"bytes", section->length()},
                    {"features", features}});
  }
  for (const artifact::Program *program : *manifest.programs())
    programs.push_back(describeProgram(manifest, *program));
  if (manifest.functions())
    for (const artifact::Function *function : *manifest.functions())
      functions.push_back(describeFunction(manifest, *function));
  if (manifest.routing())
    for (const artifact::RoutingRecord *record : *manifest.routing())
      routing.push_back(describeRouting(*record));
  if (manifest.weight_files())
    for (const artifact::WeightFile *file : *manifest.weight_files())
      files.push_back({{"name", file->name()->str()}, {"bytes", file->size()}});
  if (manifest.provenance())
    for (const auto *line : *manifest.provenance())
      provenance.push_back(line->str());
  return {{"format_version", formatVersion},
          {"producer", manifest.producer()->str()},
          {"bytes", artifact.fileBytes()},
          {"model", describeModel(manifest)},
          {"sections", sections},
          {"weight_files", files},
          {"code", code},
          {"gpu_code", describeGpuCode(manifest)},
          {"programs", programs},
          {"kernels", kernels},
          {"functions", functions},
          {"routing", routing},
          {"provenance", provenance}};
}

std::string moec::dump::textOfManifest(const Artifact &artifact) {
  flatbuffers::ToStringVisitor text("\n", /*quotes=*/true, "  ");
  flatbuffers::IterateFlatBuffer(reinterpret_cast<const uint8_t *>(artifact.manifestBytes().data()), artifact::ManifestTypeTable(),
                                 &text);
  return text.s + "\n";
}

std::string moec::dump::page(const Json &description) {
  std::string text;
  auto line = [&](const std::string &label, const std::string &value) {
    text += label + std::string(label.size() < 18 ? 18 - label.size() : 1, ' ') + value + "\n";
  };
  line("producer", plain(description["producer"]));
  for (const auto &[key, value] : description["model"].items())
    line(key, plain(value));
  text += "\nsections\n";
  for (const Json &section : description["sections"])
    line("  " + plain(section["name"]),
         plain(section["bytes"]) + " bytes at " + plain(section["offset"]) + ", " + plain(section["xxh3_128"]));
  for (const Json &file : description["weight_files"])
    line("  " + plain(file["name"]), plain(file["bytes"]) + " bytes beside the artifact");
  text += "\ncode\n";
  for (const Json &variant : description["code"]) {
    std::string features;
    for (const Json &feature : variant["features"])
      features += " " + plain(feature);
    line("  " + plain(variant["isa"]), plain(variant["bytes"]) + " bytes, needs" + features);
  }
  text += gpuCodePage(description["gpu_code"]);
  for (const Json &program : description["programs"]) {
    text += "\nprogram " + plain(program["name"]) + ": " + plain(program["launches"]) + " launches, at most " +
            plain(program["max_tokens"]) + " tokens, " + plain(program["max_outputs"]) + " outputs and " +
            plain(program["max_sequences"]) + " sequences, arena of " + plain(program["arena_bytes"]) + " bytes\n";
    for (const Json &kernel : program["kernels"])
      line("  " + plain(kernel["launches"]) + " x", plain(kernel["kernel"]));
  }
  for (const Json &function : description["functions"])
    text += functionPage(function);
  if (!description["kernels"].empty())
    text += "\nkernels\n";
  for (const Json &kernel : description["kernels"])
    text += "  " + plain(kernel["symbol"]) + ": " + plain(kernel["summary"]) + " (" + plain(kernel["scratch_bytes"]) +
            " bytes of scratch)\n";
  if (!description["routing"].empty())
    text += "\nrouting\n";
  for (const Json &record : description["routing"])
    line("  layer " + plain(record["layer"]),
         plain(record["k"]) + " of " + plain(record["experts"]) + ": " + plain(record["routing"]));
  if (!description["provenance"].empty())
    text += "\nprovenance\n";
  for (const Json &record : description["provenance"])
    text += "  " + plain(record) + "\n";
  return text;
}
