#pragma once

#include "cli/common.h"

// One per subcommand, each in its own file; main calls them in the order of the help.
namespace ech0 {

void add_bench(CommandLine& line);
void add_calibrate(CommandLine& line);
void add_chat(CommandLine& line);
void add_compress(CommandLine& line);
void add_dashboard(CommandLine& line);
void add_demo(CommandLine& line);
void add_describe(CommandLine& line);
void add_doctor(CommandLine& line);
void add_fit(CommandLine& line);
void add_inspect(CommandLine& line);
void add_measure_alone(CommandLine& line);
void add_modelfile(CommandLine& line);
void add_models(CommandLine& line);
void add_optimize(CommandLine& line);
void add_prune(CommandLine& line);
void add_report(CommandLine& line);
void add_surgeon(CommandLine& line);
void add_serve(CommandLine& line);
void add_setup(CommandLine& line);
void add_talk(CommandLine& line);
void add_undo(CommandLine& line);
void add_use(CommandLine& line);
void add_verify(CommandLine& line);

}  // namespace ech0
