// Interrupts (SIGINT) while text is written.
#ifndef MOEC_TOOLS_MOE_RUN_INTERRUPT_H
#define MOEC_TOOLS_MOE_RUN_INTERRUPT_H

namespace moec::run {

/// The exit code of a program that an interrupt has ended, as shells have it.
inline constexpr int interruptedCode = 130;

/// While one lives, the first interrupt only makes `interrupted` true; the second ends the program, as any does before and after.
class InterruptCatcher {
public:
  InterruptCatcher();
  ~InterruptCatcher();
  InterruptCatcher(const InterruptCatcher &) = delete;
  InterruptCatcher &operator=(const InterruptCatcher &) = delete;
};

bool interrupted();

} // namespace moec::run

#endif // MOEC_TOOLS_MOE_RUN_INTERRUPT_H
