// NVIDIA's assembler, a program of its own, where it is installed.
#ifndef MOEC_LOWERING_NVPTX_ASSEMBLER_H
#define MOEC_LOWERING_NVPTX_ASSEMBLER_H

#include "lowering/GpuCode.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

namespace moec::lowering::nvptx {

/// `code` assembled for `chip` by the program at `assembler`, and what it says of each of `kernels`. A message of the assembler
/// beyond that (a warning) is an error: it means code that is slower than it looks.
llvm::Expected<ChipCode> assemble(llvm::StringRef assembler, const GpuCode &code, llvm::StringRef chip,
                                  llvm::ArrayRef<llvm::StringRef> kernels);

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_ASSEMBLER_H
