// NVIDIA's assembler, a program of its own, where it is installed.
#ifndef MOEC_LOWERING_NVPTX_ASSEMBLER_H
#define MOEC_LOWERING_NVPTX_ASSEMBLER_H

#include "lowering/GpuCode.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

namespace moec::lowering::nvptx {

/// `code` assembled for each of `chips`, all at once, by the program at `assembler`, and what it says of each of `kernels`. A
/// message of the assembler beyond that (a warning) is an error: it means code that is slower than it looks.
llvm::Expected<std::vector<ChipCode>> assemble(llvm::StringRef assembler, const GpuCode &code,
                                               llvm::ArrayRef<llvm::StringRef> chips, llvm::ArrayRef<llvm::StringRef> kernels);

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_ASSEMBLER_H
