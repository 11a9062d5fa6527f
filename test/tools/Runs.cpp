// Runs of our tools through a shell, and what they print.
#include "test/tools/Runs.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

using namespace moec;
using namespace moec::test;

Outcome test::run(const std::string &tool, const std::string &arguments, const std::string &from) {
  std::string command = "cd " + from + " && " MOEC_TOOLS "/" + tool + " " + arguments;
  FILE *pipe = popen(command.c_str(), "r");
  Outcome outcome{-1, ""};
  char buffer[4096];
  while (size_t count = std::fread(buffer, 1, sizeof buffer, pipe))
    outcome.output.append(buffer, count);
  int status = pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

/// A folder that is removed when the process ends.
struct Folder {
  std::string path = (std::filesystem::temp_directory_path() / "moec-golden-XXXXXX").string();
  Folder() { EXPECT_NE(mkdtemp(path.data()), nullptr); }
  ~Folder() { std::filesystem::remove_all(path); }
};

std::string test::scratch(const std::string &name) {
  static const Folder folder;
  return folder.path + "/" + name;
}

std::string test::compiled(const std::string &folder, const std::string &options) {
  static std::map<std::string, std::string> artifacts;
  std::string &path = artifacts[folder + options];
  if (path.empty()) {
    path = scratch(std::to_string(artifacts.size()) + ".moec");
    EXPECT_EQ(run("moe-compile", folder + " -o " + path + " " + options).code, 0) << folder;
  }
  return path;
}

std::string test::contentsOf(const std::string &path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

std::string test::joined(const std::vector<int64_t> &ids) {
  std::string text;
  for (int64_t id : ids)
    text += (text.empty() ? "" : ",") + std::to_string(id);
  return text;
}

static const char *valueOf(const std::string &json, const std::string &key) {
  size_t found = json.find("\"" + key + "\":");
  EXPECT_NE(found, std::string::npos) << "expected '" << key << "' in " << json;
  return found == std::string::npos ? "" : json.c_str() + found + key.size() + 3;
}

std::vector<int64_t> test::numbersOf(const std::string &json, const std::string &key) {
  std::vector<int64_t> numbers;
  for (const char *at = valueOf(json, key); *at == '[' || *at == ',';) {
    char *end;
    numbers.push_back(std::strtoll(at + 1, &end, 10));
    at = end;
  }
  return numbers;
}

double test::numberOf(const std::string &json, const std::string &key) { return std::strtod(valueOf(json, key), nullptr); }
