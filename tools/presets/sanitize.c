// What every program of a sanitized build starts with.

// LLVM's allocators poison in code that is inlined into ours and unpoison in the packaged library, which is not instrumented.
const char *__asan_default_options(void) { return "allow_user_poisoning=0:detect_stack_use_after_return=1:strict_string_checks=1"; }
const char *__ubsan_default_options(void) { return "print_stacktrace=1"; }
