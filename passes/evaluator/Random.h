// Numbers that depend on nothing but a name, a seed and an index.
#ifndef MOEC_PASSES_EVALUATOR_RANDOM_H
#define MOEC_PASSES_EVALUATOR_RANDOM_H

#include <cstdint>
#include <string_view>

namespace moec::evaluator {

/// A stream of random numbers that can be read at any index, so that a part of it is what it is in the whole.
class Random {
public:
  Random(std::string_view name, uint64_t seed) : key(seed) {
    for (char c : name)
      key = mix(key ^ uint8_t(c));
  }

  uint64_t bits(uint64_t index) const { return mix(key + index * 0x9e3779b97f4a7c15); }
  /// Uniform in [0, 1).
  double unit(uint64_t index) const { return double(bits(index) >> 11) * 0x1p-53; }
  /// Uniform with mean 0 and variance 1.
  double centered(uint64_t index) const { return (2 * unit(index) - 1) * 1.7320508075688772; }
  /// Uniform in [0, bound).
  int64_t below(int64_t bound, uint64_t index) const { return int64_t(bits(index) % uint64_t(bound)); }

private:
  /// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
  static uint64_t mix(uint64_t z) {
    z += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  uint64_t key;
};

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_RANDOM_H
