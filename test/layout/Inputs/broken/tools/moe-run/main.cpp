// A tool of the runtime that reaches across.
#include "llvm/ADT/StringRef.h"
