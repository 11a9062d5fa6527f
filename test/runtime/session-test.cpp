// Sequences, pages and batches: what a sequence computes depends on nothing but its own tokens.
#include "test/runtime/TestArtifact.h"

#include <gtest/gtest.h>

using namespace moec;
using namespace moec::runtime;
using namespace moec::test;

namespace {
struct SessionTest : testing::Test {
  void SetUp() override {
    artifact = openSound();
    ASSERT_NE(artifact, nullptr);
    session = make(2);
  }
  std::unique_ptr<Session> make(int threads) {
    Result<std::unique_ptr<Session>> created = Session::create(*artifact, {threads, ""});
    EXPECT_TRUE(created.ok()) << created.status().message();
    return created.ok() ? std::move(*created) : nullptr;
  }
  std::vector<float> row(size_t output) { return {session->logits(output).begin(), session->logits(output).end()}; }

  std::unique_ptr<Artifact> artifact;
  std::unique_ptr<Session> session;
};

TEST_F(SessionTest, prefillsAndDecodes) {
  int sequence = *session->addSequence();
  std::vector<int32_t> ids{1, 2, 3, 4, 5};
  Piece piece{sequence, ids, Wanted::last};
  ASSERT_TRUE(session->step(Phase::prefill, {&piece, 1}).ok());
  EXPECT_EQ(session->outputs(), 1u);
  EXPECT_EQ(row(0), expectedLogits(ids));
  ids.push_back(6);
  piece = {sequence, std::span(ids).last(1), Wanted::last};
  ASSERT_TRUE(session->step(Phase::decode, {&piece, 1}).ok());
  EXPECT_EQ(row(0), expectedLogits(ids));
  EXPECT_EQ(session->length(sequence), 6);
  EXPECT_EQ(session->routedExperts(0)[0], 0); // 6 % 3
}

TEST_F(SessionTest, givesEveryPositionWhateverTheChunks) {
  std::vector<int32_t> ids{7, 6, 5, 4, 3, 2, 1, 0, 1, 2};
  for (int64_t chunk : {0, 1, 2, 3, 4, 100}) {
    struct State {
      SessionTest &test;
      std::span<const int32_t> ids;
      size_t done = 0;
    } state{*this, ids};
    int sequence = *session->addSequence();
    Status status = session->prefill(
        {sequence, ids, Wanted::all}, chunk,
        [](void *context) {
          State &state = *static_cast<State *>(context);
          for (size_t i = 0; i < state.test.session->outputs(); ++i)
            EXPECT_EQ(state.test.row(i), expectedLogits(state.ids.first(++state.done)));
        },
        &state);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(state.done, ids.size());
    session->releaseSequence(sequence);
  }
}

/// Also where programs choose no tokens, as these: the session does.
TEST_F(SessionTest, choosesTokensBehindPieces) {
  std::vector<std::vector<int32_t>> texts{{1, 2}, {2, 3, 4}, {5}};
  SamplingWords greedy{SamplingWords::largest, 0, 0, 0, 0};
  std::vector<Piece> pieces{{*session->addSequence(), texts[0], Wanted::sampled, greedy},
                            {*session->addSequence(), texts[1], Wanted::all, greedy},
                            {*session->addSequence(), texts[2], Wanted::last}};
  ASSERT_EQ(session->step(Phase::prefill, std::span(pieces).first(1)).message(), "");
  EXPECT_EQ(session->sampled(0), largestLogit(expectedLogits(texts[0])));
  EXPECT_TRUE(session->logits(0).empty()); // nobody wanted any
  ASSERT_EQ(session->step(Phase::prefill, std::span(pieces).subspan(1)).message(), "");
  EXPECT_EQ(session->outputs(), 4u);
  EXPECT_EQ(session->sampled(0), -1); // of several tokens the last is followed
  EXPECT_EQ(session->sampled(2), largestLogit(expectedLogits(texts[1])));
  EXPECT_EQ(session->sampled(3), -1);
}

TEST_F(SessionTest, choosesBehindTheLastPartOfAPrompt) {
  const std::vector<int32_t> text{1, 2, 3, 4, 5};
  ASSERT_TRUE(session->prefill({*session->addSequence(), text, Wanted::sampled, Draws({}).next()}, /*chunk=*/2).ok());
  EXPECT_EQ(session->outputs(), 1u);
  EXPECT_EQ(session->sampled(0), largestLogit(expectedLogits(text)));
}

TEST_F(SessionTest, refusesAPromptOfNothing) {
  Status status = session->prefill({*session->addSequence(), {}, Wanted::sampled, Draws({}).next()});
  EXPECT_NE(status.message().find("expected tokens of sequence 0, got 0"), std::string::npos) << status.message();
}

TEST_F(SessionTest, keepsSequencesOfABatchApart) {
  std::vector<std::vector<int32_t>> texts{{1}, {2, 3, 4}, {5, 6}};
  std::vector<Piece> pieces;
  for (const std::vector<int32_t> &text : texts)
    pieces.push_back({*session->addSequence(), text, Wanted::last});
  ASSERT_TRUE(session->step(Phase::prefill, pieces).ok());
  for (size_t i = 0; i < texts.size(); ++i)
    EXPECT_EQ(row(i), expectedLogits(texts[i]));
  for (int32_t next = 0; next < 6; ++next) {
    std::vector<Piece> steps;
    for (size_t i = 0; i < texts.size(); ++i) {
      texts[i].push_back((next + int32_t(i)) % vocabulary);
      steps.push_back({pieces[texts.size() - 1 - i].sequence, {}, Wanted::last}); // in another order
    }
    for (size_t i = 0; i < texts.size(); ++i)
      steps[texts.size() - 1 - i].ids = std::span(texts[i]).last(1);
    ASSERT_TRUE(session->step(Phase::decode, steps).ok());
    for (size_t i = 0; i < texts.size(); ++i)
      EXPECT_EQ(row(texts.size() - 1 - i), expectedLogits(texts[i]));
  }
}

TEST_F(SessionTest, handsPagesOutAgain) {
  for (int round = 0; round < 20; ++round) {
    std::vector<int> sequences;
    for (int i = 0; i < maxBatch; ++i)
      sequences.push_back(*session->addSequence());
    EXPECT_FALSE(session->addSequence().ok());
    std::vector<int32_t> ids(maxSequence, int32_t(round % vocabulary));
    for (int sequence : sequences) {
      ASSERT_TRUE(session->prefill({sequence, ids, Wanted::last}).ok());
      EXPECT_EQ(row(0), expectedLogits(ids));
    }
    for (int sequence : sequences)
      session->releaseSequence(sequence);
  }
}

TEST_F(SessionTest, refusesWithoutEffect) {
  int sequence = *session->addSequence();
  auto refused = [&](Phase phase, std::vector<int32_t> ids, const char *message, int of = -1, Wanted outputs = Wanted::last) {
    Piece piece{of < 0 ? sequence : of, ids, outputs};
    Status status = session->step(phase, {&piece, 1});
    EXPECT_FALSE(status.ok());
    EXPECT_NE(status.message().find(message), std::string::npos) << status.message();
    EXPECT_EQ(session->length(sequence), 0);
  };
  refused(Phase::prefill, {vocabulary}, "expected a token id below the vocabulary of 8, got 8");
  refused(Phase::prefill, {-1}, "got -1");
  refused(Phase::prefill, {}, "expected tokens");
  refused(Phase::decode, {1, 2}, "expected one token");
  refused(Phase::prefill, {1, 1, 1, 1, 1, 1, 1}, "at most 6 tokens, got 7");
  refused(Phase::prefill, {1, 1, 1, 1, 1}, "at most 4 outputs, got 5", -1, Wanted::all);
  refused(Phase::prefill, {1}, "no sequence 2", 2);
  refused(Phase::prefill, {1}, "no sequence 99", 99);
  std::vector<int32_t> one{1};
  Piece twice[] = {{sequence, one, Wanted::last}, {sequence, one, Wanted::last}};
  EXPECT_NE(session->step(Phase::decode, twice).message().find("occurs twice"), std::string::npos);
  EXPECT_FALSE(session->step(Phase::decode, {}).ok());
  std::vector<int32_t> full(maxSequence, 1);
  ASSERT_TRUE(session->prefill({sequence, full, Wanted::last}).ok());
  Piece more{sequence, one, Wanted::last};
  EXPECT_NE(session->step(Phase::decode, {&more, 1}).message().find("--max-sequence"), std::string::npos);
}

/// As many pages and tokens as a manifest may ask for.
TEST_F(SessionTest, plansTheLargestModel) {
  auto opened = Artifact::open(writeFile("large.moec", artifactBytes(soundManifest(), [](artifact::ManifestT &m) {
                                           m.model->max_sequence = 1 << 26; // 2^24 pages of 4
                                           m.model->max_batch = 1;
                                           for (auto &program : m.programs) {
                                             program->max_sequences = 1;
                                             program->max_tokens = program->max_outputs = 1 << 24;
                                             program->arena_bytes = uint64_t(1) << 30;
                                           }
                                         })));
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  Result<std::unique_ptr<Session>> large = Session::create(**opened, {1, ""});
  ASSERT_TRUE(large.ok()) << large.status().message();
  std::vector<int32_t> ids{1, 2, 3, 4, 5};
  ASSERT_TRUE((*large)->prefill({*(*large)->addSequence(), ids, Wanted::last}).ok());
  EXPECT_EQ(std::vector<float>((*large)->logits(0).begin(), (*large)->logits(0).end()), expectedLogits(ids));
}

/// The host's processor, but told to fail.
struct FailingDevice : Device {
  explicit FailingDevice(std::unique_ptr<Device> device) : device(std::move(device)) {}
  static Result<std::unique_ptr<Device>> create(const Artifact &artifact, const DeviceOptions &options) {
    Result<std::unique_ptr<Device>> device = createCpuDevice(artifact, options);
    if (!device.ok())
      return device.status();
    return std::unique_ptr<Device>(new FailingDevice(std::move(*device)));
  }
  Status run(size_t program, const StepInput &input) override {
    pagesGiven.assign(input.pages.begin(), input.pages.end());
    return fails ? Status::unavailable("the device is gone") : device->run(program, input);
  }
  std::span<const std::byte> output(size_t program, size_t output) override { return device->output(program, output); }
  std::string description() const override { return device->description(); }

  std::unique_ptr<Device> device;
  static inline bool fails = false;
  static inline std::vector<int32_t> pagesGiven; ///< in the last step
};

TEST_F(SessionTest, isAsItWasWhenTheDeviceFails) {
  Result<std::unique_ptr<Session>> created = Session::create(*artifact, {1, ""}, FailingDevice::create);
  ASSERT_TRUE(created.ok()) << created.status().message();
  session = std::move(*created);
  int first = *session->addSequence(), second = *session->addSequence();
  std::vector<int32_t> ids{1, 2, 3, 4, 5}, others{6, 7};
  ASSERT_TRUE(session->prefill({first, std::span(ids).first(3), Wanted::last}).ok());

  Piece pieces[] = {{second, others, Wanted::last}, {first, std::span(ids).last(2), Wanted::last}};
  FailingDevice::fails = true;
  std::vector<int32_t> pagesOfTheFailure;
  for (int attempt = 0; attempt < 20; ++attempt) { // more often than there are pages to lose
    EXPECT_EQ(session->step(Phase::prefill, pieces).message(), "the device is gone");
    EXPECT_EQ(session->length(first), 3);
    EXPECT_EQ(session->length(second), 0);
    EXPECT_EQ(session->outputs(), 0u);
    EXPECT_TRUE(session->logits().empty());
    pagesOfTheFailure = FailingDevice::pagesGiven;
  }
  FailingDevice::fails = false;
  ASSERT_TRUE(session->step(Phase::prefill, pieces).ok());
  EXPECT_EQ(FailingDevice::pagesGiven, pagesOfTheFailure);
  EXPECT_EQ(row(0), expectedLogits(others));
  EXPECT_EQ(row(1), expectedLogits(ids));
}

TEST_F(SessionTest, keepsTheChunksBeforeAFailure) {
  Result<std::unique_ptr<Session>> created = Session::create(*artifact, {1, ""}, FailingDevice::create);
  ASSERT_TRUE(created.ok()) << created.status().message();
  session = std::move(*created);
  int sequence = *session->addSequence();
  std::vector<int32_t> ids{1, 2, 3, 4, 5, 6, 7};
  auto failNext = [](void *) { FailingDevice::fails = true; };
  EXPECT_FALSE(session->prefill({sequence, ids, Wanted::last}, /*chunk=*/4, failNext).ok());
  FailingDevice::fails = false;
  EXPECT_EQ(session->length(sequence), 4);
  ASSERT_TRUE(session->prefill({sequence, std::span(ids).subspan(4), Wanted::last}).ok());
  EXPECT_EQ(row(0), expectedLogits(ids));
}

/// Both artifacts have kernels of the same names; each session must run its own, whichever was loaded first.
TEST_F(SessionTest, runsTheCodeOfItsOwnArtifact) {
  auto opened = Artifact::open(writeFile("shifted.moec", artifactBytes(soundManifest(), {}, MOEC_TEST_KERNELS_SHIFTED)));
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  Result<std::unique_ptr<Session>> shifted = Session::create(**opened, {1, ""});
  ASSERT_TRUE(shifted.ok()) << shifted.status().message();
  std::vector<int32_t> ids{1, 2, 3};
  std::vector<float> expected = expectedLogits(ids);
  ASSERT_TRUE(session->prefill({*session->addSequence(), ids, Wanted::last}).ok());
  ASSERT_TRUE((*shifted)->prefill({*(*shifted)->addSequence(), ids, Wanted::last}).ok());
  EXPECT_EQ(row(0), expected);
  for (float &logit : expected)
    logit += 100;
  EXPECT_EQ(std::vector<float>((*shifted)->logits(0).begin(), (*shifted)->logits(0).end()), expected);
}

TEST_F(SessionTest, refusesCodeThatTheProcessorOrArtifactLacks) {
  Result<std::unique_ptr<Session>> unknown = Session::create(*artifact, {1, "x86-64-v9"});
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.status().message().find("(the artifact has: x86-64-v1)"), std::string::npos);
  auto opened = Artifact::open(writeFile(
      "feature.moec", artifactBytes(soundManifest(), [](artifact::ManifestT &m) { m.code[0]->features = {"telepathy"}; })));
  ASSERT_TRUE(opened.ok());
  EXPECT_FALSE(Session::create(**opened, {1, ""}).ok());
  auto symbol = Artifact::open(
      writeFile("symbol.moec", artifactBytes(soundManifest(), [](artifact::ManifestT &m) { m.kernels[0]->symbol = "absent"; })));
  ASSERT_TRUE(symbol.ok());
  EXPECT_NE(Session::create(**symbol, {1, ""}).status().message().find("no kernel 'absent'"), std::string::npos);
}
} // namespace
