// The C interface: what it does, and that what it cannot do is a status with a sentence, never a crash.
#include "runtime/moec.h"
#include "runtime/sampling/Sampler.h"
#include "test/runtime/TestArtifact.h"

#include <cstring>
#include <gtest/gtest.h>

using namespace moec;
using namespace moec::test;

namespace {
struct CApiTest : testing::Test {
  void SetUp() override {
    std::string path = writeFile("c-api.moec", artifactBytes(soundManifest()));
    ASSERT_EQ(moec_model_open(path.c_str(), nullptr, &model), MOEC_OK) << moec_last_error();
  }
  void TearDown() override {
    moec_session_destroy(session);
    moec_model_close(model);
  }
  void start(const moec_session_options &options) {
    ASSERT_EQ(moec_session_create(model, &options, &session), MOEC_OK) << moec_last_error();
    ASSERT_EQ(moec_sequence_add(session, &sequence), MOEC_OK);
  }
  void expectRefused(const moec_session_options &options, moec_status status, const std::string &message) {
    EXPECT_EQ(moec_session_create(model, &options, &session), status);
    EXPECT_EQ(session, nullptr);
    EXPECT_NE(std::string(moec_last_error()).find(message), std::string::npos) << moec_last_error();
  }

  moec_model *model = nullptr;
  moec_session *session = nullptr;
  int32_t sequence = -1;
  const std::vector<int32_t> ids{1, 2, 3};
};

TEST_F(CApiTest, givesTheSameLogitsOnEveryDevice) {
  for (const char *device : {static_cast<const char *>(nullptr), "cpu", "emulator"}) {
    start({.threads = 1, .isa = nullptr, .device = device, .gpu = 0});
    moec_piece piece{sequence, ids.data(), ids.size(), MOEC_OUTPUTS_LAST, nullptr};
    ASSERT_EQ(moec_prefill(session, &piece, 1), MOEC_OK) << moec_last_error();
    const float *logits = moec_logits(session, 0);
    EXPECT_EQ(std::vector(logits, logits + vocabulary), expectedLogits(ids));
    EXPECT_EQ(moec_logits(session, 1), nullptr);
    EXPECT_EQ(moec_sampled(session, 0), -1);
    EXPECT_EQ(moec_sampled(session, 1), -1);
    moec_session_destroy(session);
    session = nullptr;
  }
}

TEST_F(CApiTest, choosesTheTokenBehindAPiece) {
  start({});
  moec_sampling greedy{0, 0, 1, 0};
  moec_piece piece{sequence, ids.data(), ids.size(), MOEC_OUTPUTS_SAMPLED, &greedy};
  ASSERT_EQ(moec_prefill(session, &piece, 1), MOEC_OK) << moec_last_error();
  EXPECT_EQ(moec_sampled(session, 0), runtime::largestLogit(expectedLogits(ids)));
  EXPECT_EQ(moec_logits(session, 0), nullptr);
  moec_sequence_release(session, sequence);
  ASSERT_EQ(moec_sequence_add(session, &sequence), MOEC_OK);
  piece = {sequence, ids.data(), ids.size(), MOEC_OUTPUTS_SAMPLED, nullptr}; // greedy as well
  ASSERT_EQ(moec_prefill(session, &piece, 1), MOEC_OK) << moec_last_error();
  EXPECT_EQ(moec_sampled(session, 0), runtime::largestLogit(expectedLogits(ids)));
  piece.sequence = 99;
  EXPECT_EQ(moec_prefill(session, &piece, 1), MOEC_INVALID_ARGUMENT);
  const int unknown = 4;
  std::memcpy(&piece.outputs, &unknown, sizeof unknown);
  EXPECT_EQ(moec_prefill(session, &piece, 1), MOEC_INVALID_ARGUMENT);
}

TEST_F(CApiTest, refusesDevicesThatAreNotThere) {
  expectRefused({.threads = 0, .isa = nullptr, .device = "abacus", .gpu = 0}, MOEC_INVALID_ARGUMENT,
                "device 'abacus': expected one of cpu, cuda, emulator");
  expectRefused({.threads = 0, .isa = nullptr, .device = "cpu", .gpu = -1}, MOEC_INVALID_ARGUMENT, "the number of a GPU");
  expectRefused({.threads = -1, .isa = nullptr, .device = nullptr, .gpu = 0}, MOEC_INVALID_ARGUMENT, "0 to 1024 threads");
  expectRefused({.threads = 0, .isa = "none", .device = nullptr, .gpu = 0}, MOEC_UNAVAILABLE, "none");
}

TEST_F(CApiTest, generatesUntilTheCallerHasEnough) {
  struct State {
    std::vector<int32_t> ids;
    size_t enough;
  } state{ids, 5};
  auto take = [](void *context, int32_t id, const char *, size_t bytes) {
    EXPECT_EQ(bytes, 0u); // the artifact has no tokenizer
    State &state = *static_cast<State *>(context);
    EXPECT_EQ(id, runtime::largestLogit(expectedLogits(state.ids)));
    state.ids.push_back(id);
    return int(state.ids.size() < state.enough);
  };
  start({});
  ASSERT_EQ(moec_generate(session, sequence, ids.data(), ids.size(), 6, nullptr, take, &state), MOEC_OK) << moec_last_error();
  EXPECT_EQ(state.ids.size(), state.enough);
  EXPECT_EQ(moec_generate(session, sequence, ids.data(), 0, 6, nullptr, take, &state), MOEC_INVALID_ARGUMENT);
  EXPECT_EQ(moec_generate(session, 99, ids.data(), ids.size(), 6, nullptr, take, &state), MOEC_INVALID_ARGUMENT);
}

TEST_F(CApiTest, saysWhatIsMissing) {
  EXPECT_EQ(moec_model_open(nullptr, nullptr, nullptr), MOEC_INVALID_ARGUMENT);
  EXPECT_EQ(moec_session_create(nullptr, nullptr, nullptr), MOEC_INVALID_ARGUMENT);
  EXPECT_EQ(moec_prefill(nullptr, nullptr, 0), MOEC_INVALID_ARGUMENT);
  size_t count;
  EXPECT_EQ(moec_tokenize(model, "a", 1, 0, nullptr, 0, &count), MOEC_UNAVAILABLE);
  EXPECT_STREQ(moec_last_error(), "the artifact carries no tokenizer");
}
} // namespace
