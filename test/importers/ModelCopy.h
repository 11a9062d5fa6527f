// A model's folder in memory, to be changed and written elsewhere.
#ifndef MOEC_TEST_IMPORTERS_MODELCOPY_H
#define MOEC_TEST_IMPORTERS_MODELCOPY_H

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace moec::test {

/// config.json and model.safetensors of a folder, or params.json and consolidated.safetensors. Shards become one file.
class ModelCopy {
public:
  explicit ModelCopy(const std::filesystem::path &folder);

  /// Applies a change; false when there is nothing to apply it to.
  ///   set PATH JSON        a key of the config, within objects as a.b
  ///   drop PATH
  ///   rename TENSOR NAME
  ///   remove TENSOR
  ///   add TENSOR           a new one, of a single zero
  ///   add TENSOR TYPE JSON of zeros of that type and shape
  ///   copy TENSOR NAME
  ///   type TENSOR TYPE     its bytes as elements of another type of the same size
  ///   byte TENSOR I VALUE  one of its bytes
  ///   shape TENSOR JSON    what lies there is cut, or zeros follow
  bool change(const std::string &words);

  std::vector<std::string> names() const;
  /// What a tensor holds; there is one of that name.
  std::string &bytes(const std::string &tensor) { return tensors.at(tensor).bytes; }

  /// Writes it into `folder`, which is made.
  void write(const std::filesystem::path &folder) const;

private:
  void read(const std::filesystem::path &file);

  struct Tensor {
    std::string type;
    std::vector<int64_t> shape;
    std::string bytes;
  };
  bool isConsolidated;
  nlohmann::json config;
  std::map<std::string, Tensor> tensors;
};

} // namespace moec::test

#endif // MOEC_TEST_IMPORTERS_MODELCOPY_H
