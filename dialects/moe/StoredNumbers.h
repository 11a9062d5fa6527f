// The numbers that bytes of a file stand for.
#ifndef MOEC_DIALECTS_MOE_STOREDNUMBERS_H
#define MOEC_DIALECTS_MOE_STOREDNUMBERS_H

#include "mlir/IR/BuiltinTypes.h"

#include <optional>
#include <span>
#include <vector>

namespace moec::moe {

/// Elements of one type, little-endian, one after the other; those of four bits from a byte's low half up.
class StoredNumbers {
public:
  /// Nothing for a type that no checkpoint stores numbers in.
  static std::optional<StoredNumbers> of(mlir::Type type);

  /// The first of the numbers that `bytes` stand for, exactly.
  void read(const char *bytes, std::span<double> numbers) const;

private:
  explicit StoredNumbers(mlir::Type type) : type(type) {}

  mlir::Type type;
  /// Of floats and of integers of at most 16 and 8 bits: what every pattern of bits stands for. Lives as long as the process.
  const std::vector<double> *values = nullptr;
};

} // namespace moec::moe

#endif // MOEC_DIALECTS_MOE_STOREDNUMBERS_H
