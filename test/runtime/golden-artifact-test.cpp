// Artifacts kept from the time of each format version: the current one still runs and gives what it gave, others are refused by
// name.
#include "runtime/Session.h"
#include "runtime/npy/Npy.h"
#include "runtime/sampling/Sampler.h"
#include "runtime/tokenizer/Tokenizer.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

using namespace moec;
using namespace moec::runtime;

namespace {
std::string current() { return MOEC_TEST_DATA "/fixtures/artifacts/model-version-" + std::to_string(formatVersion); }

struct GoldenArtifact : testing::Test {
  void SetUp() override {
    Result<std::unique_ptr<Artifact>> opened = Artifact::open(current() + ".moec", {true, ""});
    ASSERT_TRUE(opened.ok()) << opened.status().message()
                             << "; keep an artifact of each version, as runtime/artifact/README.md says";
    artifact = std::move(*opened);
    Result<NpyArray> ids = readNpy(current() + ".ids.npy"), rows = readNpy(current() + ".logits.npy");
    ASSERT_TRUE(ids.ok() && rows.ok());
    all.assign(ids->integers.begin(), ids->integers.end());
    logits = std::move(*rows);
    prompt = std::span(all).first(size_t(logits.shape[0]));
    ASSERT_LT(prompt.size(), all.size());
  }

  std::unique_ptr<Artifact> artifact;
  std::vector<int32_t> all; ///< of the prompt, and greedily chosen behind it
  std::span<const int32_t> prompt;
  NpyArray logits;
};

TEST_F(GoldenArtifact, tokenizes) {
  auto tokenizer = Tokenizer::create(*artifact->section("tokenizer"));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  Result<std::vector<int32_t>> ids = (*tokenizer)->encode("the wind and the sea", true);
  ASSERT_TRUE(ids.ok());
  EXPECT_EQ(*ids, std::vector<int32_t>(prompt.begin(), prompt.end()));
}

TEST_F(GoldenArtifact, givesTheLogitsAndTokensItGave) {
  double largest = std::ranges::max(logits.floats, {}, [](double logit) { return std::abs(logit); });
  size_t levels = 0;
  for (const artifact::CodeVariant *variant : *artifact->manifest().code()) {
    Result<std::unique_ptr<Session>> session = Session::create(*artifact, {2, variant->isa()->str()});
    if (!session.ok()) {
      EXPECT_EQ(session.status().code(), StatusCode::unavailable) << session.status().message();
      continue;
    }
    ++levels;
    Session &steps = **session;
    struct Check {
      const Session &steps;
      const NpyArray &logits;
      double bound;
      size_t row = 0;
    } check{steps, logits, 1e-4 * largest};
    int sequence = *steps.addSequence();
    Status status = steps.prefill(
        {sequence, prompt, Wanted::all}, /*chunk=*/0,
        [](void *context) {
          Check &check = *static_cast<Check *>(context);
          for (size_t output = 0; output < check.steps.outputs(); ++output, ++check.row)
            for (size_t id = 0; id < check.steps.logits(output).size(); ++id)
              EXPECT_NEAR(check.steps.logits(output)[id], check.logits.floats[check.row * check.steps.logits(output).size() + id],
                          check.bound);
        },
        &check);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(check.row, prompt.size());

    for (size_t next = prompt.size(); next < all.size(); ++next) {
      EXPECT_EQ(largestLogit(steps.logits(steps.outputs() - 1)), all[next]) << variant->isa()->str() << ", token " << next;
      Piece piece{sequence, {&all[next], 1}, Wanted::last};
      ASSERT_TRUE(steps.step(Phase::decode, {&piece, 1}).ok());
    }
  }
  EXPECT_GT(levels, 0u) << "this processor runs none of the artifact's code";
}
} // namespace
