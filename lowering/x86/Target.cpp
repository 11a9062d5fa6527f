// The x86-64 levels.
#include "lowering/x86/Target.h"

using namespace moec::lowering;
using namespace moec::lowering::x86;

static const char *const v3Features[] = {"avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"};
static const char *const v4Features[] = {"avx2",    "bmi1",     "bmi2",     "f16c",     "fma",      "movbe",
                                         "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512_vnni"};
static const char *const v4Bf16Features[] = {"avx2",     "bmi1",     "bmi2",     "f16c",     "fma",         "movbe",      "avx512f",
                                             "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16"};

static const Target targets[] = {
    {.isa = "x86-64-v3",
     .processor = "x86-64-v3",
     .processorFlags = "",
     .features = v3Features,
     .vectorBits = 256,
     .vectorRegisters = 16,
     .hasByteDot = false,
     .hasBf16Dot = false},
    {.isa = "x86-64-v4",
     .processor = "x86-64-v4",
     .processorFlags = "+avx512vnni,-prefer-256-bit",
     .features = v4Features,
     .vectorBits = 512,
     .vectorRegisters = 32,
     .hasByteDot = true,
     .hasBf16Dot = false},
    {.isa = "x86-64-v4-bf16",
     .processor = "x86-64-v4",
     .processorFlags = "+avx512vnni,+avx512bf16,-prefer-256-bit",
     .features = v4Bf16Features,
     .vectorBits = 512,
     .vectorRegisters = 32,
     .hasByteDot = true,
     .hasBf16Dot = true},
};

llvm::ArrayRef<Target> moec::lowering::x86::allTargets() { return targets; }
