#include "base/interrupt.h"

#include <csignal>

namespace ech0 {
namespace {

// The one process-wide state a signal forces on us: which came, 0 for none.
volatile std::sig_atomic_t signal_number = 0;

extern "C" void on_signal(int number) {
    const bool again = signal_number != 0;
    signal_number = number;
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

bool interrupted() { return signal_number != 0; }

void check_interrupt() {
    if (interrupted()) throw Interrupted();
}

void clear_interrupt() {
    if (signal_number == SIGINT) signal_number = 0;
}

}  // namespace ech0
