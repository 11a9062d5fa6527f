// What an x86-64 level can do, as far as kernels care.
#ifndef MOEC_LOWERING_X86_TARGET_H
#define MOEC_LOWERING_X86_TARGET_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <vector>

namespace moec::lowering::x86 {

struct Target {
  llvm::StringRef name;                  ///< of the level, for `--target`, `--isa` and in artifacts
  llvm::StringRef processor;             ///< LLVM's name of the processor to generate for
  llvm::StringRef processorFlags;        ///< LLVM's flags beyond those of the processor
  llvm::ArrayRef<const char *> features; ///< what the processor must have, in the words of /proc/cpuinfo
  int64_t vectorBits;
  int64_t vectorRegisters;
  bool hasByteDot;    ///< a dot product of fours of bytes, without sign and with, that accumulates in i32
  bool hasBf16Dot;    ///< a dot product of pairs of bf16 that accumulates in f32
  bool hasByteTables; ///< look-ups of bytes in tables of 64 and of 128, which ignore the upper bits of an index

  /// Elements of `bits` bits in a vector register.
  int64_t lanes(int64_t bits) const { return vectorBits / bits; }
};

/// Every level that code is generated for, lowest first.
llvm::ArrayRef<Target> allTargets();
/// Whether this processor has what `target` needs.
bool runsHere(const Target &target);

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_TARGET_H
