#include "base/interrupt.h"

#include <csignal>

namespace ech0 {
namespace {

// The one process-wide state a signal forces on us.
volatile std::sig_atomic_t signal_count = 0;

extern "C" void on_signal(int number) {
    const bool again = signal_count != 0;
    signal_count = 1;
    if (again) {
        std::signal(number, SIG_DFL);
        std::raise(number);
    }
}

}  // namespace

void install_interrupt_handler() {
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
}

bool interrupted() { return signal_count != 0; }

void check_interrupt() {
    if (interrupted()) throw Interrupted();
}

void clear_interrupt() { signal_count = 0; }

}  // namespace ech0
