// Output that is complete or absent.
#ifndef MOEC_TOOLS_ATOMICFILE_H
#define MOEC_TOOLS_ATOMICFILE_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace llvm {
class raw_ostream;
}

namespace moec::tools {

/// Writes the file `path`, or standard output when that is "-". Whatever happens, the file under `path` is the old one or the
/// complete new one; devices and pipes are written as they are.
llvm::Error writeAtomically(llvm::StringRef path, llvm::function_ref<void(llvm::raw_ostream &)> write);

} // namespace moec::tools

#endif // MOEC_TOOLS_ATOMICFILE_H
