// What the command lines of the runtime's programs have in common.
#ifndef MOEC_TOOLS_COMMANDLINE_H
#define MOEC_TOOLS_COMMANDLINE_H

#include "runtime/Status.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <optional>

namespace moec::tools {

/// Adds --version and --completion to `app`, which has its program's name and all of its options, and parses. Returns an exit code
/// when there is nothing left to do: 0 after one of these and --help, 2 for unusable arguments.
std::optional<int> parseCommandLine(CLI::App &app, int argc, char **argv);

/// Takes whole numbers of [least, most] alone, numbers of that range, and paths and the like that are not empty.
CLI::Validator wholeNumber(int64_t least, int64_t most = std::numeric_limits<int64_t>::max());
CLI::Validator number(double least, double most = std::numeric_limits<double>::infinity());
CLI::Validator notEmpty();

/// Takes one of these words, which help and completion list.
CLI::Validator oneOf(const std::vector<std::string> &words);

/// Prints an error and returns exit code 2.
int complain(const runtime::Status &status);

/// The exit code of a program that has written all its results: `code`, unless standard output did not take them.
int finishOutput(int code);

} // namespace moec::tools

#endif // MOEC_TOOLS_COMMANDLINE_H
