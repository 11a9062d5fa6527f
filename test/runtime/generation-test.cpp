// The loop that writes: what is chosen, handed out and fed, and where it ends.
#include "runtime/Generation.h"
#include "test/runtime/TestArtifact.h"

#include <gtest/gtest.h>

using namespace moec;
using namespace moec::runtime;
using namespace moec::test;

namespace {
/// A session of a model without a tokenizer, in which one sequence holds 1, 2, 3.
struct GenerationTest : testing::Test {
  void SetUp() override { begin({}); }

  void begin(std::vector<int32_t> ends) {
    session.reset();
    artifact::ManifestT manifest = soundManifest();
    manifest.model->eos_ids = std::move(ends);
    Result<std::unique_ptr<Artifact>> opened = Artifact::open(writeFile("generation.moec", artifactBytes(std::move(manifest))));
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    artifact = std::move(*opened);
    session = std::move(*Session::create(*artifact, {}));
    sequence = *session->addSequence();
    ASSERT_TRUE(session->prefill({sequence, ids, Wanted::sampled, Draws({}).next()}).ok());
  }

  /// The greedy continuation, from what the model computes for whole texts.
  std::vector<int32_t> expected(size_t count) const {
    std::vector<int32_t> text = ids;
    for (size_t i = 0; i < count; ++i)
      text.push_back(largestLogit(expectedLogits(text)));
    return {text.begin() + 3, text.end()};
  }

  Status write(int64_t tokens, bool ignoreEnd = false, size_t stopAfter = 100) {
    written.clear();
    Draws greedy({});
    return generate(*session, {.sequences = {&sequence, 1}, .tokens = tokens, .ignoreEnd = ignoreEnd}, greedy, nullptr,
                    [&](int32_t id, const std::string &text) -> Result<bool> {
                      EXPECT_EQ(text, "");
                      written.push_back(id);
                      return written.size() < stopAfter;
                    });
  }

  std::unique_ptr<Artifact> artifact;
  std::unique_ptr<Session> session;
  const std::vector<int32_t> ids{1, 2, 3};
  int sequence = 0;
  std::vector<int32_t> written;
};

TEST_F(GenerationTest, feedsAllButTheLast) {
  ASSERT_TRUE(write(4).ok());
  EXPECT_EQ(written, expected(4));
  EXPECT_EQ(session->length(sequence), 6);
}

TEST_F(GenerationTest, writesNothingWhenAskedForNothing) {
  ASSERT_TRUE(write(0).ok());
  EXPECT_TRUE(written.empty());
  EXPECT_EQ(session->length(sequence), 3);
}

TEST_F(GenerationTest, endsBehindAnEndUnlessItIsIgnored) {
  std::vector<int32_t> greedy = expected(5);
  size_t first = size_t(std::ranges::find(greedy, greedy[2]) - greedy.begin());
  begin({greedy[2]});
  ASSERT_TRUE(write(5).ok());
  EXPECT_EQ(written, std::vector(greedy.begin(), greedy.begin() + long(first) + 1));
  begin({greedy[2]});
  ASSERT_TRUE(write(5, /*ignoreEnd=*/true).ok());
  EXPECT_EQ(written, greedy);
}

TEST_F(GenerationTest, stopsWhenTheObserverSaysSo) {
  ASSERT_TRUE(write(5, false, /*stopAfter=*/2).ok());
  EXPECT_EQ(written, expected(2));
  EXPECT_EQ(session->length(sequence), 4);
}

TEST_F(GenerationTest, passesErrorsOn) {
  Status status = write(100, /*ignoreEnd=*/true); // beyond the positions that a sequence has
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(written, expected(size_t(maxSequence) - 3 + 1));
  Draws greedy({});
  session->releaseSequence(sequence);
  begin({});
  status = generate(*session, {.sequences = {&sequence, 1}, .tokens = 2}, greedy, nullptr,
                    [](int32_t, const std::string &) -> Result<bool> { return Status::ioError("no room"); });
  EXPECT_EQ(status.message(), "no room");
}

TEST_F(GenerationTest, needsATokenToBeginWith) {
  session->releaseSequence(sequence);
  sequence = *session->addSequence();
  ASSERT_TRUE(session->prefill({sequence, ids, Wanted::last}).ok()); // which chooses none
  EXPECT_NE(write(1).message().find("expected a step before that chose a token"), std::string::npos);
  EXPECT_TRUE(written.empty());
}

TEST_F(GenerationTest, extendsEverySequence) {
  int second = *session->addSequence();
  const int both[] = {sequence, second};
  Draws greedy({});
  Piece pieces[] = {{second, ids, Wanted::sampled, greedy.next()}};
  ASSERT_TRUE(session->step(Phase::prefill, pieces).ok());
  ASSERT_TRUE(generate(*session, {.sequences = both, .tokens = 3}, greedy, nullptr, [&](int32_t id, const std::string &) {
                return Result<bool>((written.push_back(id), true));
              }).ok());
  EXPECT_EQ(written, expected(3));
  EXPECT_EQ(session->length(sequence), 5);
  EXPECT_EQ(session->length(second), 5);
}
} // namespace
