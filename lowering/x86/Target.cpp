// The x86-64 levels.
#include "lowering/x86/Target.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"

using namespace moec::lowering;
using namespace moec::lowering::x86;

static const char *const v3Features[] = {"avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"};
static const char *const v4Features[] = {"avx2",    "bmi1",     "bmi2",     "f16c",     "fma",      "movbe",
                                         "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512_vnni"};
// Of the processors with dot products of bf16, Cooper Lake alone has no tables of bytes: it is served as one of x86-64-v4.
static const char *const v4Bf16Features[] = {"avx2",     "bmi1",        "bmi2",        "f16c",      "fma",
                                             "movbe",    "avx512f",     "avx512bw",    "avx512cd",  "avx512dq",
                                             "avx512vl", "avx512_vnni", "avx512_bf16", "avx512vbmi"};

static const Target targets[] = {
    {.name = "x86-64-v3",
     .processor = "x86-64-v3",
     .processorFlags = "",
     .features = v3Features,
     .vectorBits = 256,
     .vectorRegisters = 16,
     .hasByteDot = false,
     .hasBf16Dot = false,
     .hasByteTables = false},
    {.name = "x86-64-v4",
     .processor = "x86-64-v4",
     .processorFlags = "+avx512vnni,-prefer-256-bit",
     .features = v4Features,
     .vectorBits = 512,
     .vectorRegisters = 32,
     .hasByteDot = true,
     .hasBf16Dot = false,
     .hasByteTables = false},
    {.name = "x86-64-v4-bf16",
     .processor = "x86-64-v4",
     .processorFlags = "+avx512vnni,+avx512bf16,+avx512vbmi,-prefer-256-bit",
     .features = v4Bf16Features,
     .vectorBits = 512,
     .vectorRegisters = 32,
     .hasByteDot = true,
     .hasBf16Dot = true,
     .hasByteTables = true},
};

llvm::ArrayRef<Target> moec::lowering::x86::allTargets() { return targets; }

/// A word of /proc/cpuinfo as LLVM spells it.
static std::string inLLVM(llvm::StringRef feature) {
  std::string name = feature == "bmi1" ? "bmi" : feature.str();
  llvm::erase(name, '_');
  return name;
}

bool moec::lowering::x86::runsHere(const Target &target) {
  const llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  return llvm::all_of(target.features, [&](llvm::StringRef feature) { return host.lookup(inLLVM(feature)); });
}
