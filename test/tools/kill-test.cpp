// A compilation that is killed leaves nothing under the name of its artifact, and what was there as it was.
#include "test/tools/Runs.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace moec;
using namespace moec::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {
const std::string model = MOEC_TEST_DATA "/fixtures/model";

std::set<std::string> namesIn(const std::string &folder) {
  std::set<std::string> names;
  for (const fs::directory_entry &entry : fs::directory_iterator(folder))
    names.insert(entry.path().filename());
  return names;
}

/// Compiles to OUT in `folder`, which holds `before`, and kills the compiler `delay` after it began to write. Whether it was
/// killed.
bool killWhileWriting(const std::string &folder, size_t before, std::chrono::microseconds delay) {
  std::string out = folder + "/out.moec";
  pid_t child = fork();
  if (child == 0) {
    execl(MOEC_TOOLS "/moe-compile", "moe-compile", model.c_str(), "--target", "native", "-o", out.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  bool running = true;
  while (running && namesIn(folder).size() == before) {
    std::this_thread::sleep_for(50us);
    running = waitpid(child, &status, WNOHANG) == 0;
  }
  if (running) {
    std::this_thread::sleep_for(delay);
    kill(child, SIGKILL);
    EXPECT_EQ(waitpid(child, &status, 0), child);
  }
  return WIFSIGNALED(status);
}

TEST(Kill, leavesTheArtifactAbsentOrWholeAndTheNextCompilationSweepsUp) {
  std::string whole = contentsOf(compiled(model, "--target native"));
  for (const std::string &old : {std::string(), std::string("an older artifact")}) {
    std::string folder = scratch(old.empty() ? "killed" : "killed-over-old"), out = folder + "/out.moec";
    fs::create_directories(folder);
    int amidst = 0; // attempts that died while their file was partial
    std::chrono::microseconds delay = 0us;
    for (int attempt = 0; attempt < 20 && amidst < 3; ++attempt, delay = delay * 2 + 500us) {
      for (const std::string &name : namesIn(folder))
        fs::remove(folder + "/" + name);
      if (!old.empty())
        std::ofstream(out) << old;
      bool killed = killWhileWriting(folder, namesIn(folder).size(), delay);
      bool isWhole = fs::exists(out) && contentsOf(out) == whole;
      if (!killed || isWhole) { // too late: it had its name already
        EXPECT_TRUE(isWhole);
        delay = 0us;
        continue;
      }
      EXPECT_EQ(fs::exists(out), !old.empty());
      if (!old.empty())
        EXPECT_EQ(contentsOf(out), old);
      amidst += namesIn(folder).size() > size_t(!old.empty());
    }
    EXPECT_EQ(amidst, 3);
    EXPECT_EQ(run("moe-compile", model + " --target native -o " + out).code, 0);
    EXPECT_EQ(contentsOf(out), whole);
    EXPECT_EQ(namesIn(folder), std::set<std::string>{"out.moec"});
  }
}
} // namespace
