// The emulator as a device: the hand-made artifact's PTX gives what its host code gives, and what a kernel does wrong fails its
// step.
#include "runtime/devices/emulator/EmulatorDevice.h"
#include "test/runtime/TestArtifact.h"

#include <gtest/gtest.h>

using namespace moec;
using namespace moec::runtime;
using namespace moec::test;

namespace {
std::unique_ptr<Artifact> open(const std::string &bytes) {
  Result<std::unique_ptr<Artifact>> opened = Artifact::open(writeFile("emulator.moec", bytes));
  EXPECT_TRUE(opened.ok()) << opened.status().message();
  return opened.ok() ? std::move(*opened) : nullptr;
}
} // namespace

TEST(EmulatorDevice, computesWhatTheModelComputes) {
  std::unique_ptr<Artifact> artifact = open(artifactBytes(soundManifest()));
  Result<std::unique_ptr<Session>> session = Session::create(*artifact, {2, ""}, createEmulatorDevice);
  ASSERT_TRUE(session.ok()) << session.status().message();
  EXPECT_EQ((*session)->description(), "emulator, sm_80, 2 threads");
  int sequence = *(*session)->addSequence();
  std::vector<int32_t> ids{1, 2, 3, 4, 5};
  Piece piece{sequence, ids, Wanted::last};
  Status status = (*session)->step(Phase::prefill, {&piece, 1});
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(std::vector<float>((*session)->logits().begin(), (*session)->logits().end()), expectedLogits(ids));
  for (int32_t next : {6, 7, 0}) {
    ids.push_back(next);
    piece = {sequence, std::span(ids).last(1), Wanted::last};
    status = (*session)->step(Phase::decode, {&piece, 1});
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(std::vector<float>((*session)->logits().begin(), (*session)->logits().end()), expectedLogits(ids));
  }
  EXPECT_NE((*session)->device().counted().find("| attend | 4 |"), std::string::npos) << (*session)->device().counted();
}

// The counter of a kernel whose launch promises it none was never written.
TEST(EmulatorDevice, failsTheStepOfAKernelThatGoesAstray) {
  std::unique_ptr<Artifact> artifact = open(
      artifactBytes(soundManifest(), [](artifact::ManifestT &manifest) { manifest.gpu_code[0]->kernels[1]->counter_bytes = 0; }));
  Result<std::unique_ptr<Session>> session = Session::create(*artifact, {1, ""}, createEmulatorDevice);
  ASSERT_TRUE(session.ok()) << session.status().message();
  std::vector<int32_t> ids{1, 2, 3};
  Piece piece{*(*session)->addSequence(), ids, Wanted::last};
  Status status = (*session)->step(Phase::prefill, {&piece, 1});
  EXPECT_NE(status.message().find("attend: line "), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("uninitialised"), std::string::npos) << status.message();
}
