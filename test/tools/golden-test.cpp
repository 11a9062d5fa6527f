// From checkpoint to logits and text: each family's tiny checkpoint and the shipped model against their reference implementation.
#include "test/importers/Golden.h"
#include "test/importers/ModelCopy.h"
#include "test/tools/Runs.h"

#include "runtime/npy/Npy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <span>

using namespace moec;
using namespace moec::test;

namespace {

const std::string fixtures = MOEC_TEST_DATA "/fixtures/";

/// No code but what the run chooses: kernels are tested at every level of the processor by test/lowering/kernel.
const std::string here = "--target native ";

class Models : public testing::TestWithParam<std::string> {
protected:
  std::string folder = fixtures + GetParam();
  Golden golden{folder};
};

/// Those that are no other's weights in other files, which come to the same code.
class DistinctModels : public Models {};

/// Those and a GPU target.
class GpuModels : public testing::TestWithParam<std::pair<std::string, std::string>> {
protected:
  Golden golden{fixtures + GetParam().first};
  std::string artifact = compiled(fixtures + GetParam().first, "--compute bf16 --target " + GetParam().second);
};

/// Those with mixtures of experts.
class Mixtures : public Models {};

/// Of these, those whose weights nobody has stored otherwise.
class MixturesAsTrained : public Models {};

/// Those whose golden results have a longer text.
class LongModels : public Models {};

runtime::NpyArray load(const std::string &path) {
  runtime::Result<runtime::NpyArray> array = runtime::readNpy(path);
  EXPECT_TRUE(array.ok()) << path;
  return array.ok() ? std::move(*array) : runtime::NpyArray();
}

/// Runs a prompt and returns its logits.
std::vector<double> logits(const std::string &artifact, const std::vector<int64_t> &ids, const std::string &options = "") {
  std::string path = scratch("logits.npy");
  EXPECT_EQ(run("moe-run", artifact + " --ids " + joined(ids) + " -n 0 --logits " + path + " " + options + " --json").code, 0);
  return load(path).floats;
}

/// Logits of every prompt, all in one prefill, lie within 1e-4 of the largest.
TEST_P(Models, LogitsInF32) {
  std::string artifact = compiled(folder, here + "--compute f32");
  for (int i = 0; auto ids = golden.prompt(i); ++i) {
    std::vector<double> expected = golden.get("logits_f32/" + std::to_string(i)).values;
    EXPECT_LE(distance(logits(artifact, *ids), expected), 1e-4 * largest(expected)) << "prompt " << i;
  }
}

/// Expects that a run with `options` gives the logits of a text that fills whole blocks of positions.
void expectLongLogits(const Golden &golden, const std::string &artifact, const std::string &options) {
  std::vector<double> given = golden.get("long/input_ids").values, positions = golden.get("long/positions").values;
  std::vector<int64_t> ids(given.begin(), given.end());
  GoldenTensor expected = golden.get("long/logits_f32");
  std::vector<double> all = logits(artifact, ids, options), at;
  size_t vocabulary = size_t(expected.shape[1]);
  for (double position : positions)
    at.insert(at.end(), all.begin() + int64_t(size_t(position) * vocabulary),
              all.begin() + int64_t((size_t(position) + 1) * vocabulary));
  EXPECT_LE(distance(at, expected.values), 1e-4 * largest(expected.values)) << options;
}

/// The same for a text that fills whole blocks of positions, whether a prefill closes them or decode steps do.
TEST_P(LongModels, LogitsOfLongTexts) {
  std::string artifact = compiled(folder, here + "--compute f32");
  for (const char *cut : {"", "--prefill 100", "--prefill-chunk 7"})
    expectLongLogits(golden, artifact, cut);
}

/// GPU code does so, too.
TEST_P(LongModels, LogitsOfLongTextsByGpuCode) {
  expectLongLogits(golden, compiled(folder, "--compute f32 --target simt"), "--device emulator --threads 2 --prefill-chunk 100");
}

/// The greedy continuation is the reference's for 64 tokens.
TEST_P(Models, GreedyTokens) {
  std::string artifact = compiled(folder, here + "--compute f32");
  for (int i = 0; auto ids = golden.prompt(i); ++i) {
    Outcome outcome = run("moe-run", artifact + " --ids " + joined(*ids) + " -n 64 --ignore-eos --json");
    ASSERT_EQ(outcome.code, 0);
    std::vector<int64_t> expected = *ids;
    for (double id : golden.get("greedy/" + std::to_string(i)).values)
      expected.push_back(int64_t(id));
    EXPECT_EQ(numbersOf(outcome.output, "ids"), expected) << "prompt " << i;
  }
}

/// Expects logits in bf16 that are at most twice as far from the f64 run as the reference's own bf16 run is; the last `decoded`
/// tokens of a prompt that has more than twice as many come one by one.
void expectBf16Logits(const Golden &golden, const std::string &artifact, std::string options = "", int64_t decoded = 0) {
  for (int i = 0; auto ids = golden.prompt(i); ++i) {
    int64_t tokens = int64_t(ids->size());
    std::string cut = " --prefill " + std::to_string(tokens > 2 * decoded ? tokens - decoded : tokens);
    EXPECT_LE(distance(logits(artifact, *ids, options + cut), golden.exactLogits(i)), golden.bf16Bound(i))
        << "prompt " << i << options << cut;
  }
}

TEST_P(DistinctModels, LogitsInBf16) { expectBf16Logits(golden, compiled(folder, here + "--compute bf16")); }

/// GPU code keeps the same bound on the emulator, which also finds no fault in it, in prefills and decode steps.
TEST_P(GpuModels, GpuCodeInBf16) { expectBf16Logits(golden, artifact, "--device emulator --threads 1", 5); }

/// GPU code leaves the same bits whatever the batch, the chunks of a prefill and the number of the host's threads.
TEST_P(GpuModels, GpuCodeIsDeterministic) {
  std::string path = scratch("logits.npy");
  std::vector<int64_t> ids = *golden.prompt(2);
  ids.resize(std::min<size_t>(ids.size(), 8));
  logits(artifact, ids, "--device emulator --threads 1");
  std::string bits = contentsOf(path);
  for (const char *other : {"--threads 2 --batch 3", "--threads 2 --prefill-chunk 3"}) {
    logits(artifact, ids, std::string("--device emulator ") + other);
    EXPECT_TRUE(contentsOf(path) == bits) << other;
  }
}

/// What the reference chose in each MoE layer: [layers][tokens * k] ids and [layers][tokens] margins.
struct Choices {
  std::vector<std::vector<double>> ids, margins;
};

/// Tiny checkpoints keep a tensor for each layer, the shipped model keeps the layers stacked.
Choices choicesOf(const Golden &golden, int prompt) {
  Choices choices;
  std::string key = std::to_string(prompt);
  if (std::optional<GoldenTensor> stacked = golden.find("router_ids/" + key)) {
    std::vector<double> margins = golden.get("router_margin/" + key).values;
    size_t layers = size_t(stacked->shape[0]);
    auto cut = [&](const std::vector<double> &values, size_t layer) {
      size_t size = values.size() / layers;
      return std::vector<double>(values.begin() + int64_t(layer * size), values.begin() + int64_t((layer + 1) * size));
    };
    for (size_t layer = 0; layer < layers; ++layer) {
      choices.ids.push_back(cut(stacked->values, layer));
      choices.margins.push_back(cut(margins, layer));
    }
    return choices;
  }
  for (int layer = 0; layer < 16; ++layer)
    if (std::optional<GoldenTensor> ids = golden.find("router_ids/" + key + "/" + std::to_string(layer))) {
      choices.ids.push_back(ids->values);
      choices.margins.push_back(golden.get("router_margin/" + key + "/" + std::to_string(layer)).values);
    }
  return choices;
}

/// Expects that a run with `options` chooses the reference's experts wherever its choice has a margin above `margin`.
void expectChoices(const Golden &golden, const std::string &artifact, const std::string &options, double margin) {
  std::string path = scratch("routing.npy");
  size_t compared = 0;
  for (int i = 0; auto ids = golden.prompt(i); ++i) {
    ASSERT_EQ(run("moe-run", artifact + " --ids " + joined(*ids) + " -n 0 --routing " + path + " --json " + options).code, 0);
    runtime::NpyArray routing = load(path);
    Choices choices = choicesOf(golden, i);
    size_t tokens = ids->size(), layers = choices.ids.size();
    ASSERT_EQ(routing.shape.size(), 3u);
    ASSERT_EQ(size_t(routing.shape[0]), tokens);
    ASSERT_EQ(size_t(routing.shape[1]), layers);
    size_t k = size_t(routing.shape[2]);
    for (size_t layer = 0; layer < layers; ++layer)
      for (size_t t = 0; t < tokens; ++t) {
        if (choices.margins[layer][t] <= margin)
          continue;
        auto ours = routing.integers.begin() + int64_t((t * layers + layer) * k);
        auto theirs = choices.ids[layer].begin() + int64_t(t * k);
        EXPECT_EQ(std::set<int64_t>(ours, ours + int64_t(k)), std::set<int64_t>(theirs, theirs + int64_t(k)))
            << "layer " << layer << " token " << t;
        ++compared;
      }
  }
  EXPECT_GT(compared, 0u);
}

/// The same experts are chosen wherever the reference's choice has a margin above 1e-4.
TEST_P(Mixtures, ChosenExperts) { expectChoices(golden, compiled(folder, here + "--compute f32"), "", 1e-4); }

/// GPU code chooses the same experts, in f32.
TEST_P(MixturesAsTrained, ChosenExpertsByGpuCode) {
  expectChoices(golden, compiled(folder, "--compute f32 --target simt"), "--device emulator --threads 2", 1e-4);
}

/// Prefill then decode is all prefill within the bound; threads, batch and chunks change no bit.
TEST_P(Models, Determinism) {
  std::string artifact = compiled(folder, here + "--compute f32"), path = scratch("logits.npy");
  std::vector<int64_t> ids = *golden.prompt(2);
  std::vector<double> expected = golden.get("logits_f32/2").values;
  EXPECT_LE(distance(logits(artifact, ids, "--prefill 3"), expected), 1e-4 * largest(expected));

  logits(artifact, ids, "--threads 1");
  std::string bits = contentsOf(path);
  for (const char *options : {"--threads 2", "--batch 8", "--threads 1 --prefill-chunk 3", "--threads 2 --prefill-chunk 7"}) {
    logits(artifact, ids, options);
    EXPECT_TRUE(contentsOf(path) == bits) << options;
  }
}

/// Every folder of fixtures/ with golden results.
std::vector<std::string> models() {
  std::vector<std::string> found;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(fixtures))
    if (entry.path().filename() == "golden.json")
      found.push_back(entry.path().parent_path().lexically_relative(fixtures));
  std::sort(found.begin(), found.end());
  return found;
}

/// Another model's weights in several files, under the names of its first release, or with the configuration of a later one.
bool isStoredAnew(const std::string &model) {
  size_t end = std::string::npos;
  for (const char *suffix : {"-sharded", "-consolidated", "-v5"})
    if (model.ends_with(suffix))
      end = model.size() - std::string_view(suffix).size();
  auto golden = [](const std::string &folder) { return contentsOf(fixtures + folder + "/golden.safetensors"); };
  return end != std::string::npos && golden(model) == golden(model.substr(0, end));
}

std::vector<std::string> distinctModels() {
  std::vector<std::string> found = models();
  std::erase_if(found, isStoredAnew);
  return found;
}

/// The first of each family's models for both targets, the others for one of them, in turn.
std::vector<std::pair<std::string, std::string>> gpuModels() {
  std::vector<std::pair<std::string, std::string>> found;
  std::set<std::string> families;
  bool turn = false;
  for (const std::string &model : distinctModels()) {
    bool isFirst = families.insert(std::filesystem::path(model).parent_path()).second;
    turn ^= !isFirst;
    if (isFirst || turn)
      found.push_back({model, "simt"});
    if (isFirst || !turn)
      found.push_back({model, "sm_80"});
  }
  return found;
}

std::vector<std::string> mixtures() {
  std::vector<std::string> found = distinctModels();
  std::erase_if(found, [](const std::string &model) { return choicesOf(Golden(fixtures + model), 0).ids.empty(); });
  return found;
}

/// The shipped model, and those of each family's fixtures that differ in more than how their weights are stored, which is nothing
/// to routers.
std::vector<std::string> mixturesAsTrained() {
  std::vector<std::string> found = mixtures();
  std::erase_if(found,
                [](const std::string &model) { return model != "model" && !model.ends_with("/a") && !model.ends_with("/b"); });
  return found;
}

std::vector<std::string> longModels() {
  std::vector<std::string> found = models();
  std::erase_if(found, [](const std::string &model) { return !Golden(fixtures + model).find("long/input_ids"); });
  return found;
}

std::string asTestName(std::string text) {
  std::replace_if(text.begin(), text.end(), [](char c) { return !std::isalnum(c); }, '_');
  return text;
}

std::string testName(const testing::TestParamInfo<std::string> &info) { return asTestName(info.param); }

std::string gpuTestName(const testing::TestParamInfo<std::pair<std::string, std::string>> &info) {
  return asTestName(info.param.first + "/" + info.param.second);
}

INSTANTIATE_TEST_SUITE_P(Golden, Models, testing::ValuesIn(models()), testName);
INSTANTIATE_TEST_SUITE_P(Golden, DistinctModels, testing::ValuesIn(distinctModels()), testName);
INSTANTIATE_TEST_SUITE_P(Golden, GpuModels, testing::ValuesIn(gpuModels()), gpuTestName);
INSTANTIATE_TEST_SUITE_P(Golden, LongModels, testing::ValuesIn(longModels()), testName);
INSTANTIATE_TEST_SUITE_P(Golden, Mixtures, testing::ValuesIn(mixtures()), testName);
INSTANTIATE_TEST_SUITE_P(Golden, MixturesAsTrained, testing::ValuesIn(mixturesAsTrained()), testName);

/// A code that is no number makes none of whatever depends on it, and changes nothing else.
void expectNoNumbers(const std::string &model, const std::string &change, const std::string &target) {
  SCOPED_TRACE(model + ": " + change);
  ModelCopy copy(fixtures + "checkpoints/" + model);
  ASSERT_TRUE(copy.change(change));
  std::string folder = scratch("not-a-number"), artifact = scratch("not-a-number.moec");
  copy.write(folder);
  ASSERT_EQ(run("moe-compile", folder + " --compute f32 -o " + artifact + " --target native --target " + target).code, 0);
  Golden golden(fixtures + "checkpoints/" + model);
  std::vector<int64_t> ids = *golden.prompt(2);
  std::vector<double> expected = golden.get("logits_f32/2").values;
  size_t vocabulary = expected.size() / ids.size();
  for (const char *device : {"", "--device emulator --threads 1"}) {
    SCOPED_TRACE(device);
    std::vector<double> given = logits(artifact, ids, device);
    ASSERT_EQ(given.size(), expected.size());
    size_t none = 0;
    for (size_t token = 0; token < ids.size(); ++token) {
      std::span<const double> row = std::span(given).subspan(token * vocabulary, vocabulary);
      bool isNone = std::ranges::all_of(row, [](double logit) { return std::isnan(logit); });
      none += isNone;
      for (size_t i = 0; i < vocabulary && !isNone; ++i)
        ASSERT_LE(std::abs(row[i] - expected[token * vocabulary + i]), 1e-4 * largest(expected)) << "token " << token;
    }
    EXPECT_GT(none, 0u);
  }
}

TEST(NotANumber, ReachesWhatDependsOnIt) {
  bool turn = false; // of the GPU targets
  for (auto [model, change] : {std::pair("deepseek_v4/native", "byte layers.0.attn.wkv.scale 0 255"),
                               {"deepseek_v4/native", "byte layers.0.ffn.shared_experts.w1.weight 40 127"},
                               {"deepseek_v4/native-fp8-experts", "byte layers.1.ffn.experts.0.w3.weight 7 255"},
                               {"gpt_oss/mxfp4", "byte model.layers.0.mlp.experts.gate_up_proj_scales 1 255"},
                               {"gpt_oss/mxfp4", "byte model.layers.1.mlp.experts.down_proj_scales 0 255"},
                               {"deepseek_v3/fp8-block", "byte model.layers.0.mlp.gate_proj.weight 137 255"},
                               {"deepseek_v3/nvfp4-compressed", "byte model.layers.1.mlp.experts.0.down_proj.weight_scale 0 127"}})
    expectNoNumbers(model, change, (turn = !turn) ? "simt" : "sm_80");
}

/// Perplexity of the held-out texts, to four digits of the reference's.
TEST(ShippedModel, Perplexity) {
  std::string folder = fixtures + "model/", artifact = compiled(folder, here + "--compute f32");
  for (auto [text, expected] :
       {std::pair("ruth-and-jonah.txt", 37.41265909817181), std::pair("the-tempest.txt", 96.78998407070776)}) {
    Outcome outcome = run("moe-run", artifact + " --perplexity " + folder + "heldout/" + text + " --window 256 --json");
    ASSERT_EQ(outcome.code, 0);
    EXPECT_NEAR(numberOf(outcome.output, "perplexity"), expected, 5e-4 * expected / 10) << text;
  }
}

/// Rounded weights cost little: with 8 bits less than 0.1 % of the perplexity of texts that the model never saw, with 4 bits 2 %.
TEST(ShippedModel, PerplexityOfRoundedWeights) {
  std::string folder = fixtures + "model/";
  for (auto [format, bound] : {std::pair("int8", 0.001), std::pair("int4", 0.02)}) {
    std::string artifact = compiled(folder, here + "--compute f32 --weight-format " + format);
    for (auto [text, stored] :
         {std::pair("ruth-and-jonah.txt", 37.41265909817181), std::pair("the-tempest.txt", 96.78998407070776)}) {
      Outcome outcome = run("moe-run", artifact + " --perplexity " + folder + "heldout/" + text + " --window 256 --json");
      ASSERT_EQ(outcome.code, 0);
      EXPECT_NEAR(numberOf(outcome.output, "perplexity"), stored, bound * stored) << format << ", " << text;
      EXPECT_NE(numberOf(outcome.output, "perplexity"), stored) << format;
    }
  }
}

/// Two compiles of one model are the same bytes, also from another working folder.
TEST(ShippedModel, SameBytesTwice) {
  std::string folder = fixtures + "checkpoints/deepseek_v3/a", other = scratch("other.moec");
  ASSERT_EQ(run("moe-compile", folder + " -o " + other + " --compute f32", "/").code, 0);
  EXPECT_TRUE(contentsOf(other) == contentsOf(compiled(folder, "--compute f32")));
}

} // namespace
