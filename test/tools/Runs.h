// Runs of our tools, and what they print.
#ifndef MOEC_TEST_TOOLS_RUNS_H
#define MOEC_TEST_TOOLS_RUNS_H

#include <cstdint>
#include <string>
#include <vector>

namespace moec::test {

/// What a program printed on standard output, and its exit code.
struct Outcome {
  int code;
  std::string output;
};
/// Runs one of our tools in the folder `from`; `arguments` are words for a shell.
Outcome run(const std::string &tool, const std::string &arguments, const std::string &from = ".");

/// The artifact of the model in `folder`, compiled once in a process.
std::string compiled(const std::string &folder, const std::string &options);

/// A path in the folder of this process's results.
std::string scratch(const std::string &name);

/// The bytes of a file.
std::string contentsOf(const std::string &path);

/// "5,17,3"
std::string joined(const std::vector<int64_t> &ids);

/// The numbers of the array `key` in a line of JSON.
std::vector<int64_t> numbersOf(const std::string &json, const std::string &key);
/// The number `key` in a line of JSON.
double numberOf(const std::string &json, const std::string &key);

} // namespace moec::test

#endif // MOEC_TEST_TOOLS_RUNS_H
