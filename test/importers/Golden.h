// The golden results of a model's reference implementation.
#ifndef MOEC_TEST_IMPORTERS_GOLDEN_H
#define MOEC_TEST_IMPORTERS_GOLDEN_H

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

} // namespace moec::test

#endif // MOEC_TEST_IMPORTERS_GOLDEN_H
