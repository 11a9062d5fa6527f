// Numbers and pointers as they are written in kernels: operators append operations to the function being built.
#ifndef MOEC_LOWERING_KERNEL_NUMBER_H
#define MOEC_LOWERING_KERNEL_NUMBER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/IR/Value.h"

namespace moec::lowering {

/// An integer (signed) or float, a scalar or a vector of them, or the truth of a comparison.
class Number {
public:
  Number() = default;
  Number(mlir::ImplicitLocOpBuilder &builder, mlir::Value value) : builder(&builder), value(value) {}

  operator mlir::Value() const { return value; }
  mlir::Type type() const { return value.getType(); }
  bool isVector() const { return llvm::isa<mlir::VectorType>(type()); }
  bool isFloat() const { return llvm::isa<mlir::FloatType>(mlir::getElementTypeOrSelf(type())); }
  /// Elements of a vector; 0 of a scalar.
  int64_t lanes() const;

  /// `constant` in this number's type.
  Number like(double constant) const;
  Number like(int64_t constant) const;
  /// This scalar in every lane of a vector; itself for `lanes` = 0.
  Number splat(int64_t lanes) const;
  /// The lanes of this vector and then `other` that `mask` counts out.
  Number shuffle(Number other, llvm::ArrayRef<int64_t> mask) const;
  Number lane(int64_t index) const;
  /// The bits as `element`, of the same width.
  Number bitsAs(mlir::Type element) const;
  /// An integer in another width: sign extended (zero extended) or cut.
  Number toInteger(mlir::Type element) const;
  Number toUnsigned(mlir::Type element) const;
  /// The f32 that is this integer.
  Number toReal() const;

  mlir::ImplicitLocOpBuilder *builder = nullptr;
  mlir::Value value;
};

Number operator+(Number a, Number b);
Number operator-(Number a, Number b);
Number operator*(Number a, Number b);
Number operator/(Number a, Number b);
Number operator%(Number a, Number b);
Number operator&(Number a, Number b);
Number operator|(Number a, Number b);
Number operator^(Number a, Number b);
Number operator<<(Number a, int64_t bits);
Number operator<<(Number a, Number bits);
Number operator>>(Number a, int64_t bits); // unsigned
Number operator>>(Number a, Number bits);  // unsigned
Number operator<(Number a, Number b);
Number operator<=(Number a, Number b);
Number operator>(Number a, Number b);
Number operator>=(Number a, Number b);
Number operator==(Number a, Number b);
Number operator!=(Number a, Number b);
Number operator-(Number a);

inline Number operator+(Number a, int64_t b) { return a + a.like(b); }
inline Number operator-(Number a, int64_t b) { return a - a.like(b); }
inline Number operator*(Number a, int64_t b) { return a * a.like(b); }
inline Number operator/(Number a, int64_t b) { return a / a.like(b); }
inline Number operator%(Number a, int64_t b) { return a % a.like(b); }
inline Number operator<(Number a, int64_t b) { return a < a.like(b); }
inline Number operator<=(Number a, int64_t b) { return a <= a.like(b); }
inline Number operator>(Number a, int64_t b) { return a > a.like(b); }
inline Number operator>=(Number a, int64_t b) { return a >= a.like(b); }
inline Number operator==(Number a, int64_t b) { return a == a.like(b); }
inline Number operator!=(Number a, int64_t b) { return a != a.like(b); }

Number select(Number condition, Number a, Number b);
Number minimum(Number a, Number b);
Number maximum(Number a, Number b);
/// The bits of an integer without its leading zeros: floor(log2) + 1, or 0 for 0.
Number bitLength(Number a);
/// a x b + c, rounded once.
Number fma(Number a, Number b, Number c);

/// The bits of an f32 as an i32 that compares as the float does, both zeros being one; and the f32 of such an integer.
Number orderedBits(Number value);
Number fromOrderedBits(Number bits);

/// A float in f32: bf16 given as i16 or bf16, f16, or f32 already.
Number widen(Number value);
/// An f32 rounded to nearest even to bf16, f16 or f32; bf16 as i16.
Number narrow(Number value, mlir::Type element);

/// Bytes of one element in memory.
int64_t bytesOf(mlir::Type element);

/// The address of elements of one type.
class Pointer {
public:
  Pointer() = default;
  Pointer(mlir::ImplicitLocOpBuilder &builder, mlir::Value value, mlir::Type element)
      : builder(&builder), value(value), element(element) {}

  operator mlir::Value() const { return value; }
  /// The same address, as one of elements of another type.
  Pointer as(mlir::Type other) const { return {*builder, value, other}; }
  Pointer operator+(Number elements) const;
  Pointer operator+(int64_t elements) const;
  Pointer plusBytes(Number bytes) const;

  /// One element (`lanes` = 0) or a vector of as many, aligned as one element. A bf16 is loaded as an i16.
  Number load(int64_t lanes = 0) const { return load(lanes, bytesOf(element)); }
  void store(Number value) const { store(value, bytesOf(element)); }
  /// The same where the address is a multiple of `alignment` bytes.
  Number load(int64_t lanes, int64_t alignment) const;
  void store(Number value, int64_t alignment) const;
  /// Elements converted to f32, and f32 converted to elements.
  Number loadF32(int64_t lanes = 0) const { return widen(load(lanes)); }
  void storeF32(Number value) const { store(narrow(value, element)); }
  /// An integer as the i64 that indices are.
  Number loadIndex() const { return load().toInteger(builder->getI64Type()); }
  /// As an integer.
  Number address() const;
  /// The pointer stored here.
  Pointer loadPointer(mlir::Type pointee) const;
  /// Asks for the cache line at this address, into the first- or second-level cache.
  void prefetch(int cacheLevel) const;

  mlir::ImplicitLocOpBuilder *builder = nullptr;
  mlir::Value value;
  mlir::Type element;
};

} // namespace moec::lowering

#endif // MOEC_LOWERING_KERNEL_NUMBER_H
