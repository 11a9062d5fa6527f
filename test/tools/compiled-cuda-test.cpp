// A compiled model on the cuda device, with a driver that runs kernels in the emulator: the same bits as the emulator alone, and
// every call of the driver may fail.
#include "test/runtime/cuda/LoadedStandIn.h"
#include "test/tools/Runs.h"

#include "runtime/Session.h"

using namespace moec;
using namespace moec::runtime;
using namespace moec::test;

namespace {
class CompiledCuda : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    std::string path = compiled(MOEC_TEST_DATA "/fixtures/checkpoints/" + std::string(GetParam()), "--compute bf16 --target sm_80");
    auto opened = Artifact::open(path);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    artifact = std::move(*opened);
    standIn.reset(&machine);
  }

  Status create(DeviceFactory factory) {
    session.reset();
    DeviceOptions options;
    options.driver = MOEC_TEST_STAND_IN;
    return take(session, Session::create(*artifact, options, factory));
  }

  /// A ragged prefill of two sequences, then decode, recorded and replayed. The logits of every step go to `all`, the errors on the
  /// way come back.
  std::vector<std::string> run(DeviceFactory factory, std::vector<std::vector<float>> &all) {
    std::vector<std::string> errors;
    auto note = [&](const Status &status) {
      if (!status.ok())
        errors.push_back(status.message());
      return status.ok();
    };
    if (!note(create(factory)))
      return errors;
    int first = *session->addSequence(), second = *session->addSequence();
    std::vector<int32_t> prompt{1, 7, 5}, ids{3};
    for (Phase phase : {Phase::prefill, Phase::decode, Phase::decode}) {
      Piece pieces[] = {{first, phase == Phase::prefill ? prompt : ids, Wanted::last}, {second, ids, Wanted::last}};
      if (note(session->step(phase, pieces)))
        all.emplace_back(session->logits().begin(), session->logits().end());
    }
    session.reset();
    return errors;
  }

  const LoadedStandIn &standIn = LoadedStandIn::get();
  const StandInMachine machine;
  std::unique_ptr<Artifact> artifact;
  std::unique_ptr<Session> session;
};

TEST_P(CompiledCuda, givesTheBitsOfTheEmulator) {
  std::vector<std::vector<float>> expected, got;
  EXPECT_EQ(run(createEmulatorDevice, expected), std::vector<std::string>());
  EXPECT_EQ(run(createCudaDevice, got), std::vector<std::string>());
  EXPECT_EQ(got.size(), 3u);
  EXPECT_EQ(got, expected);
  EXPECT_STREQ(standIn.complaints(), "");
}

/// Whichever call fails, and whether it ends the context or not: errors name a call of the driver, steps that succeed give the
/// right bits, and everything is given back.
TEST_P(CompiledCuda, reportsEveryCallThatFails) {
  std::vector<std::vector<float>> expected;
  EXPECT_EQ(run(createCudaDevice, expected), std::vector<std::string>());
  uint64_t calls = standIn.calls(nullptr), reported = 0;
  ASSERT_GT(calls, 200u);
  constexpr int codes[] = {2, 700, 999};
  for (uint64_t call = 0; call < calls; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    standIn.reset(&machine);
    standIn.fail(call, codes[call % std::size(codes)]);
    std::vector<std::vector<float>> got;
    std::vector<std::string> errors = run(createCudaDevice, got);
    ASSERT_STREQ(standIn.complaints(), "");
    reported += !errors.empty();
    for (const std::string &error : errors)
      EXPECT_TRUE(error.find("cu") != std::string::npos &&
                  error.find(" (" + std::to_string(codes[call % 3]) + ")") != std::string::npos)
          << error;
    // A step that failed leaves the sequences as they were, so those after it compute something else.
    if (errors.empty())
      EXPECT_EQ(got, expected);
  }
  EXPECT_GT(reported, calls * 3 / 4);
}

INSTANTIATE_TEST_SUITE_P(Tools, CompiledCuda, testing::Values("mixtral/a", "deepseek_v3/a"), [](const auto &info) {
  std::string name = info.param;
  std::ranges::replace(name, '/', '_');
  return name;
});
} // namespace
