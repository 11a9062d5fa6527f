// Elements of a type as kernels find them in memory.
#ifndef MOEC_TEST_LOWERING_KERNEL_ELEMENTS_H
#define MOEC_TEST_LOWERING_KERNEL_ELEMENTS_H

#include "mlir/IR/BuiltinTypes.h"

#include <span>

namespace moec::test {

size_t bytesOf(mlir::Type element);
/// Bytes of so many neighbours.
size_t bytesOf(mlir::Type element, size_t count);

/// What a number of `element` nearest to `value` is, as its bits.
uint64_t bitsOf(mlir::Type element, double value);
double valueOf(mlir::Type element, uint64_t bits);

void write(char *place, mlir::Type element, double value);
/// One behind the other.
void write(char *place, mlir::Type element, std::span<const double> values);
double read(const char *place, mlir::Type element);

} // namespace moec::test

#endif // MOEC_TEST_LOWERING_KERNEL_ELEMENTS_H
