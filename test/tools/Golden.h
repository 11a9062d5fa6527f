// The golden results of a model's reference implementation, and runs of our tools on the same inputs.
#ifndef MOEC_TEST_TOOLS_GOLDEN_H
#define MOEC_TEST_TOOLS_GOLDEN_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moec::test {

/// A tensor of golden.safetensors, whatever its type.
struct GoldenTensor {
  std::vector<int64_t> shape;
  std::vector<double> values;
};

/// golden.safetensors of a model's folder.
class Golden {
public:
  explicit Golden(const std::string &folder);
  /// The tensor, or nothing when the file has none of that name.
  std::optional<GoldenTensor> find(const std::string &name) const;
  /// The tensor, which must be there.
  GoldenTensor get(const std::string &name) const;
  /// The ids of prompt `i`, or nothing when there are fewer prompts.
  std::optional<std::vector<int64_t>> prompt(int i) const;

private:
  std::string path;
};

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

/// "5,17,3"
std::string joined(const std::vector<int64_t> &ids);

/// The numbers of the array `key` in a line of JSON.
std::vector<int64_t> numbersOf(const std::string &json, const std::string &key);
/// The number `key` in a line of JSON.
double numberOf(const std::string &json, const std::string &key);

} // namespace moec::test

#endif // MOEC_TEST_TOOLS_GOLDEN_H
