// What the host's processor can do.
#include "runtime/devices/cpu/Processor.h"

bool moec::runtime::processorHas(std::string_view feature) {
  __builtin_cpu_init();
#define MOEC_FEATURE(word, name)                                                                                                   \
  if (feature == (word))                                                                                                           \
    return __builtin_cpu_supports(name);
  MOEC_FEATURE("avx", "avx")
  MOEC_FEATURE("avx2", "avx2")
  MOEC_FEATURE("fma", "fma")
  MOEC_FEATURE("f16c", "f16c")
  MOEC_FEATURE("bmi1", "bmi")
  MOEC_FEATURE("bmi2", "bmi2")
  MOEC_FEATURE("abm", "lzcnt")
  MOEC_FEATURE("movbe", "movbe")
  MOEC_FEATURE("avx512f", "avx512f")
  MOEC_FEATURE("avx512bw", "avx512bw")
  MOEC_FEATURE("avx512cd", "avx512cd")
  MOEC_FEATURE("avx512dq", "avx512dq")
  MOEC_FEATURE("avx512vl", "avx512vl")
  MOEC_FEATURE("avx512_vnni", "avx512vnni")
  MOEC_FEATURE("avx512_bf16", "avx512bf16")
  MOEC_FEATURE("avx512vbmi", "avx512vbmi")
#undef MOEC_FEATURE
  return false;
}
