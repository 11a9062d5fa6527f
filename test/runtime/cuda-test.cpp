// The cuda device on a driver that checks every call, lets any of them fail, and runs kernels in the emulator.
#include "runtime/devices/cuda/GraphCache.h"
#include "test/runtime/TestArtifact.h"
#include "test/runtime/cuda/LoadedStandIn.h"

using namespace moec;
using namespace moec::runtime;
using namespace moec::test;

namespace {
struct CudaTest : testing::Test {
  void SetUp() override {
    artifact = openSound();
    show({});
  }
  /// Whatever a case does, it keeps the rules and gives everything back.
  void TearDown() override {
    session.reset();
    EXPECT_STREQ(standIn.complaints(), "");
  }

  void show(const StandInMachine &machine) { standIn.reset(&machine); }
  Status create(DeviceOptions options = {}) {
    if (options.driver.empty())
      options.driver = MOEC_TEST_STAND_IN;
    session.reset();
    Result<std::unique_ptr<Session>> made = Session::create(*artifact, options, createCudaDevice);
    if (made.ok())
      session = std::move(*made);
    return made.status();
  }
  void refuses(const char *message, DeviceOptions options = {}) {
    Status status = create(options);
    ASSERT_FALSE(status.ok());
    EXPECT_NE(status.message().find(message), std::string::npos) << status.message();
  }
  Status step(Phase phase, int sequence, std::vector<int32_t> ids) {
    Piece piece{sequence, ids, Wanted::last};
    return session->step(phase, {&piece, 1});
  }
  std::vector<float> row(size_t output) { return {session->logits(output).begin(), session->logits(output).end()}; }

  const LoadedStandIn &standIn = LoadedStandIn::get();
  std::unique_ptr<Artifact> artifact;
  std::unique_ptr<Session> session;
};

TEST_F(CudaTest, prefillsAndDecodes) {
  ASSERT_TRUE(create().ok()) << create().message();
  EXPECT_EQ(session->description(), "stand-in 0, sm_80 from PTX");
  int sequence = *session->addSequence();
  ASSERT_TRUE(step(Phase::prefill, sequence, {1, 2, 3, 4, 5}).ok());
  EXPECT_EQ(row(0), expectedLogits(std::vector<int32_t>{1, 2, 3, 4, 5}));
  ASSERT_TRUE(step(Phase::decode, sequence, {6}).ok());
  EXPECT_EQ(row(0), expectedLogits(std::vector<int32_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(session->routedExperts(0)[0], 0); // 6 % 3
}

/// A decode step is recorded when its numbers come for the first time, and replayed whenever they come again.
TEST_F(CudaTest, recordsEachKindOfDecodeStepOnce) {
  ASSERT_TRUE(create().ok());
  int first = *session->addSequence(), second = *session->addSequence();
  ASSERT_TRUE(step(Phase::prefill, first, {1, 2}).ok());
  ASSERT_TRUE(step(Phase::prefill, second, {3}).ok());
  EXPECT_EQ(standIn.calls("cuGraphLaunch"), 0u);
  uint64_t launches = standIn.calls("cuLaunchKernel");
  EXPECT_EQ(launches, 4u);
  std::vector<int32_t> id{1};
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(step(Phase::decode, first, id).ok());
    Piece both[] = {{first, id, Wanted::last}, {second, id, Wanted::last}};
    ASSERT_TRUE(session->step(Phase::decode, both).ok());
  }
  EXPECT_EQ(standIn.calls("cuStreamBeginCapture_v2"), 2u);
  EXPECT_EQ(standIn.calls("cuGraphInstantiateWithFlags"), 2u);
  EXPECT_EQ(standIn.calls("cuGraphDestroy"), 2u);
  EXPECT_EQ(standIn.calls("cuGraphLaunch"), 6u);
  EXPECT_EQ(standIn.calls("cuLaunchKernel"), launches + 4);
  EXPECT_EQ(row(1), expectedLogits(std::vector<int32_t>{3, 1, 1, 1}));
}

/// Between launches that are asked for one by one, and within a graph whenever it is replayed.
TEST_F(CudaTest, takesTheTimesOfLaunches) {
  DeviceOptions timed;
  timed.timesLaunches = true;
  ASSERT_TRUE(create(timed).ok());
  int sequence = *session->addSequence();
  ASSERT_TRUE(step(Phase::prefill, sequence, {1, 2}).ok());
  for (int round = 0; round < 3; ++round)
    ASSERT_TRUE(step(Phase::decode, sequence, {3}).ok());
  EXPECT_EQ(standIn.calls("cuGraphLaunch"), 3u);
  EXPECT_EQ(row(0), expectedLogits(std::vector<int32_t>{1, 2, 3, 3, 3}));
  // The stand-in takes half a millisecond for a launch, and in graphs for an event.
  for (auto [program, milliseconds] : {std::pair(0, 0.5), {1, 3.0}}) {
    std::span<const LaunchTime> times = session->device().launchTimes(size_t(program));
    ASSERT_EQ(times.size(), 2u);
    for (size_t i = 0; i < times.size(); ++i) {
      EXPECT_EQ(times[i].first, i);
      EXPECT_EQ(times[i].count, 1u);
      EXPECT_NEAR(times[i].seconds, milliseconds * 1e-3, 1e-9);
    }
  }
  ASSERT_TRUE(create().ok());
  EXPECT_TRUE(session->device().launchTimes(0).empty());
}

TEST_F(CudaTest, leavesOutLaunchesWithNothingToDo) {
  ASSERT_TRUE(create().ok());
  std::vector<int32_t> ids{1, 2};
  Piece piece{*session->addSequence(), ids, Wanted::none};
  ASSERT_TRUE(session->step(Phase::prefill, {&piece, 1}).ok());
  EXPECT_EQ(standIn.calls("cuLaunchKernel"), 1u); // there are no outputs to attend for
}

TEST_F(CudaTest, refusesModelsThatDoNotFitBeforeItAllocates) {
  StandInMachine machine;
  machine.freeBytes = 1 << 10;
  show(machine);
  refuses("needs 1 MiB of memory (");
  EXPECT_EQ(standIn.calls("cuMemAlloc_v2"), 0u);
  EXPECT_EQ(standIn.calls("cuMemAllocHost_v2"), 0u);
  Status status = create();
  EXPECT_EQ(status.code(), StatusCode::resourceExhausted);
  for (const char *part : {"weights 256 bytes", "stand-in 0 has 0 MiB free", "--max-sequence"})
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
}

TEST_F(CudaTest, refusesGpusThatCannotRunTheCode) {
  StandInMachine machine;
  machine.capability = 75;
  show(machine);
  refuses("no GPU code for stand-in 0 (the artifact has: sm_80)");
  DeviceOptions named;
  named.isa = "sm_80";
  refuses("needs compute capability 8.0, stand-in 0 has 7.5", named);
  EXPECT_EQ(standIn.calls("cuCtxCreate_v2"), 0u);
}

TEST_F(CudaTest, refusesGpusThatAreNotThere) {
  DeviceOptions options;
  options.gpu = 1;
  refuses("one of this machine's 1 GPUs, got 1", options);
}

TEST_F(CudaTest, saysWhenThereIsNoDriver) {
  DeviceOptions options;
  options.driver = "/nonexistent/libcuda.so.1";
  refuses("install the NVIDIA driver, or run with --device cpu", options);
  options.driver = MOEC_TEST_KERNELS;
  refuses("has no function cuInit; install a newer driver", options);
}

TEST_F(CudaTest, passesOnWhatTheDriversCompilerSays) {
  artifact = openSound([](artifact::ManifestT &m) { m.kernels[1]->symbol = "absent"; });
  refuses("kernel 'absent': cuModuleGetFunction: CUDA_ERROR_NOT_FOUND (500)");
  std::string bytes = artifactBytes(soundManifest(), {}, MOEC_TEST_KERNELS, "hello\n");
  artifact = std::move(*Artifact::open(writeFile("text.moec", bytes)));
  refuses("section 'ptx/sm_80': cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX (218)");
  EXPECT_NE(create().message().find("\nthe driver's compiler says: "), std::string::npos) << create().message();
}

TEST_F(CudaTest, refusesKernelsThatNeedTooMuchSharedMemory) {
  artifact = openSound([](artifact::ManifestT &m) { m.gpu_code[0]->kernels[1]->shared_bytes = 200 << 10; });
  refuses("kernel 'attend': needs 204800 bytes of shared memory, stand-in 0 has 166912");
  artifact = openSound([](artifact::ManifestT &m) { m.gpu_code[0]->kernels[1]->shared_bytes = 100 << 10; });
  ASSERT_TRUE(create().ok());
  EXPECT_TRUE(step(Phase::prefill, *session->addSequence(), {1}).ok());
}

void addCubins(artifact::ManifestT &manifest) {
  for (const char *chip : {"sm_80", "sm_86", "sm_89", "sm_90", "sm_87a"}) {
    manifest.gpu_code[0]->cubins.push_back(std::make_unique<artifact::CubinT>());
    manifest.gpu_code[0]->cubins.back()->chip = chip;
    manifest.gpu_code[0]->cubins.back()->section = 0; // an ELF file, and the stand-in asks no more
  }
}

/// Code for the very chip, or an older one of its generation, goes before PTX.
TEST_F(CudaTest, takesCodeThatWasAssembledForTheChip) {
  artifact = openSound(addCubins);
  for (auto [capability, description] : {std::pair(80, "sm_80 for sm_80"),
                                         {86, "sm_80 for sm_86"},
                                         {88, "sm_80 for sm_86"},
                                         {90, "sm_80 for sm_90"},
                                         {100, "sm_80 from PTX"}}) {
    StandInMachine machine;
    machine.capability = capability;
    machine.loadsAssembled = true;
    show(machine);
    ASSERT_TRUE(create().ok());
    EXPECT_EQ(session->description(), std::string("stand-in 0, ") + description);
    session.reset();
  }
}

/// What the driver does not take for the chip's code is replaced by PTX, and the device says so.
TEST_F(CudaTest, takesPtxWhenAssembledCodeDoesNotLoad) {
  artifact = openSound(addCubins);
  ASSERT_TRUE(create().ok());
  EXPECT_EQ(standIn.calls("cuModuleLoadDataEx"), 2u);
  std::string description = session->description();
  EXPECT_NE(description.find("sm_80 from PTX, as its code for sm_80 does not load: "), std::string::npos) << description;
  EXPECT_NE(description.find("CUDA_ERROR_NO_BINARY_FOR_GPU (209)"), std::string::npos) << description;
  ASSERT_TRUE(step(Phase::prefill, *session->addSequence(), {1, 2, 3}).ok());
  EXPECT_EQ(row(0), expectedLogits(std::vector<int32_t>{1, 2, 3}));
}

TEST_F(CudaTest, tellsHowFarTheUploadIs) {
  std::vector<std::pair<uint64_t, uint64_t>> told;
  DeviceOptions options;
  options.progress = [&](uint64_t done, uint64_t total) { told.emplace_back(done, total); };
  ASSERT_TRUE(create(options).ok());
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back().first, told.back().second);
  EXPECT_TRUE(std::ranges::is_sorted(told));
}

/// Several megabytes more than both pinned buffers hold, so that each is filled several times.
TEST_F(CudaTest, uploadsMoreThanItsBuffersHold) {
  constexpr uint64_t floats = 40 << 20;
  std::string path = writeFile("large.bin", std::string(floats * 4, '\0'));
  {
    FILE *file = std::fopen(path.c_str(), "r+b");
    float last = 1; // of the rest of the weight, nothing is read but that it is there
    std::fseek(file, long(floats * 4 - sizeof last), SEEK_SET);
    std::fwrite(&last, sizeof last, 1, file);
    std::fclose(file);
  }
  artifact = openSound([&](artifact::ManifestT &m) {
    m.weight_files.emplace_back(new artifact::WeightFileT)->name = "large.bin";
    m.weight_files[0]->size = floats * 4;
    artifact::WeightT &weight = *m.weights.emplace_back(new artifact::WeightT);
    weight.name = "large";
    weight.element = artifact::ElementType::f32;
    weight.shape = {floats};
    weight.runs.emplace_back(new artifact::WeightRunT)->source = 0;
    weight.runs[0]->bytes = floats * 4;
  });
  ASSERT_TRUE(create().ok());
  EXPECT_GE(standIn.calls("cuEventSynchronize"), 3u);
  ASSERT_TRUE(step(Phase::prefill, *session->addSequence(), {1, 2}).ok());
  EXPECT_EQ(row(0), expectedLogits(std::vector<int32_t>{1, 2}));
}

/// A life of a device; gives the errors on the way.
std::vector<std::string> life(CudaTest &test) {
  std::vector<std::string> errors;
  auto note = [&](const Status &status) {
    if (!status.ok())
      errors.push_back(status.message());
    return status.ok();
  };
  DeviceOptions options;
  options.timesLaunches = true; // which takes more calls, and leaves out none
  if (note(test.create(options))) {
    int sequence = *test.session->addSequence();
    std::vector<int32_t> ids;
    for (auto [phase, id] : {std::pair(Phase::prefill, 3), {Phase::decode, 4}, {Phase::decode, 5}, {Phase::prefill, 6}}) {
      if (!note(test.step(phase, sequence, {id})))
        continue;
      ids.push_back(id);
      EXPECT_EQ(test.row(0), expectedLogits(ids)); // also after a step that failed
    }
  }
  test.session.reset();
  return errors;
}

class CudaFaultTest : public CudaTest, public testing::WithParamInterface<std::pair<int, const char *>> {};

/// Each call of a device's life fails in turn: the error says which and how, nothing is lost, and no result is wrong.
TEST_P(CudaFaultTest, isReportedWhereverItHappens) {
  auto [code, name] = GetParam();
  EXPECT_EQ(life(*this), std::vector<std::string>());
  uint64_t calls = standIn.calls(nullptr), reported = 0;
  ASSERT_GT(calls, 60u);
  for (uint64_t call = 0; call < calls; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    show({});
    standIn.fail(call, code);
    std::vector<std::string> errors = life(*this);
    EXPECT_STREQ(standIn.complaints(), "");
    reported += !errors.empty();
    for (const std::string &error : errors)
      EXPECT_TRUE(error.find(name) != std::string::npos && error.find("cu") != std::string::npos) << error;
    // What ends the context is told again by every later step, in the same words; anything else happens once.
    for (const std::string &error : errors)
      EXPECT_EQ(error, errors.front());
    if ((code < 700 || code >= 900) && !errors.empty() && !errors.front().starts_with("cuCtxPushCurrent"))
      EXPECT_EQ(errors.size(), 1u);
  }
  // All but what gives things back, and what leaves contexts as they were.
  EXPECT_GT(reported, calls / 2);
}
INSTANTIATE_TEST_SUITE_P(Cuda, CudaFaultTest,
                         testing::Values(std::pair(1, "CUDA_ERROR_INVALID_VALUE (1)"), std::pair(2, "CUDA_ERROR_OUT_OF_MEMORY (2)"),
                                         std::pair(700, "CUDA_ERROR_ILLEGAL_ADDRESS (700)"),
                                         std::pair(719, "CUDA_ERROR_LAUNCH_FAILED (719)"),
                                         std::pair(999, "CUDA_ERROR_UNKNOWN (999)"), std::pair(12345, "error (12345)")),
                         [](const auto &info) { return "code" + std::to_string(info.param.first); });

TEST(CudaGraphCache, keepsWhatWasUsedLast) {
  static std::vector<cuda::GraphExec> destroyed;
  cuda::EntryPoint<cuda::GraphExec> destroy{"destroy", [](cuda::GraphExec graph) {
                                              destroyed.push_back(graph);
                                              return 0;
                                            }};
  auto graph = [](uintptr_t number) { return reinterpret_cast<cuda::GraphExec>(number); };
  {
    cuda::GraphCache cache(2);
    for (int64_t tokens : {1, 2})
      cache.keep(0, {tokens, 1, 1, 1}, -1, {graph(uintptr_t(tokens)), destroy});
    EXPECT_EQ(cache.find(0, {1, 1, 1, 1}, -1), graph(1));
    EXPECT_EQ(cache.find(1, {1, 1, 1, 1}, -1), nullptr); // of another program
    EXPECT_EQ(cache.find(0, {1, 1, 1, 1}, 0), nullptr);  // with another output left out
    cache.keep(0, {3, 1, 1, 1}, -1, {graph(3), destroy});
    EXPECT_EQ(destroyed, std::vector{graph(2)});
    EXPECT_EQ(cache.find(0, {2, 1, 1, 1}, -1), nullptr);
    EXPECT_EQ(cache.find(0, {1, 1, 1, 1}, -1), graph(1));
    EXPECT_EQ(cache.size(), 2u);
  }
  EXPECT_EQ(destroyed.size(), 3u);
}
} // namespace
