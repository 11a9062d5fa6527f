// Interrupts (SIGINT) while text is written.
#include "tools/moe-run/Interrupt.h"

#include <csignal>

static volatile std::sig_atomic_t caught = 0;
static void (*before)(int) = SIG_DFL;

using namespace moec::run;

InterruptCatcher::InterruptCatcher() {
  before = std::signal(SIGINT, [](int signal) {
    caught = 1;
    std::signal(signal, SIG_DFL);
  });
  if (before == SIG_IGN) // a program that was started so goes on
    std::signal(SIGINT, SIG_IGN);
}

InterruptCatcher::~InterruptCatcher() { std::signal(SIGINT, before); }

bool moec::run::interrupted() { return caught != 0; }
