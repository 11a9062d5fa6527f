// Which tensors a released model consists of, from its config, without the importers' own knowledge of it.
#ifndef MOEC_TEST_TOOLS_RELEASEDTENSORS_H
#define MOEC_TEST_TOOLS_RELEASEDTENSORS_H

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace moec::test {

struct ReleasedTensor {
  std::string name;
  std::vector<int64_t> shape;
  bool isTable = false; ///< of integers, which are no parameters

  int64_t elements() const;
  /// In bf16, or in i32.
  int64_t bytes() const { return (isTable ? 4 : 2) * elements(); }
};

/// Of a config.json of any family in fixtures/released, or of a params.json. Layers that predict further tokens, and whatever makes
/// a model see, are left out.
std::vector<ReleasedTensor> releasedTensors(const nlohmann::ordered_json &config);

} // namespace moec::test

#endif // MOEC_TEST_TOOLS_RELEASEDTENSORS_H
