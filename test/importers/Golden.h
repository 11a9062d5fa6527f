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

/// The largest magnitude, and the largest difference; what is no number is infinitely far.
double largest(const std::vector<double> &values);
double distance(const std::vector<double> &a, const std::vector<double> &b);

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

  /// The logits of prompt `i` in f64; for the shipped model in f32, which lies 1e-6 from f64.
  std::vector<double> exactLogits(int i) const;
  /// How far logits of prompt `i` computed in bf16 may be from the exact ones: twice as far as the reference's own bf16 run is, at
  /// most over all prompts; for the shipped model as golden.json has it, a share of the largest logit.
  double bf16Bound(int i) const;

private:
  std::string path;
};

} // namespace moec::test

#endif // MOEC_TEST_IMPORTERS_GOLDEN_H
