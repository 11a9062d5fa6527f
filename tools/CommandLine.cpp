// What the command lines of the runtime's programs have in common.
#include "tools/CommandLine.h"

#include "tools/Completion.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iostream>
#include <limits>
#include <sstream>

using namespace moec::tools;
using namespace moec::runtime;

static std::vector<CompletedOption> optionsOf(const CLI::App &app) {
  std::vector<CompletedOption> options;
  for (const CLI::Option *option : app.get_options()) {
    CompletedOption described{{}, option->get_description(), {}};
    for (const std::string &name : option->get_snames())
      described.names.push_back("-" + name);
    for (const std::string &name : option->get_lnames())
      described.names.push_back("--" + name);
    if (option->get_items_expected_max() > 0)
      described.value = CompletedValue::named(option->get_type_name());
    if (!described.names.empty())
      options.push_back(std::move(described));
  }
  return options;
}

/// Refuses what is no `what` of [least, most].
template <typename Number> static CLI::Validator within(const char *what, Number least, Number most) {
  auto refuse = [=](const std::string &text) {
    Number value{};
    if (CLI::detail::lexical_cast(text, value) && value >= least && value <= most) // which what is no number is not
      return std::string();
    std::ostringstream why;
    why << "expected a " << what << " of ";
    if (most < std::numeric_limits<Number>::max())
      why << least << " to " << most;
    else
      why << "at least " << least;
    why << ", got '" << text << "'";
    return why.str();
  };
  return {refuse, /*description=*/""};
}

CLI::Validator moec::tools::wholeNumber(int64_t least, int64_t most) { return within("whole number", least, most); }

CLI::Validator moec::tools::number(double least, double most) { return within("number", least, most); }

CLI::Validator moec::tools::notEmpty() {
  return {[](const std::string &text) { return text.empty() ? "expected something, got ''" : ""; }, /*description=*/""};
}

CLI::Validator moec::tools::oneOf(const std::vector<std::string> &words) {
  auto refuse = [words](const std::string &text) {
    return std::ranges::count(words, text) ? "" : "expected one of " + CLI::detail::join(words, ", ") + ", got '" + text + "'";
  };
  return {refuse, "{" + CLI::detail::join(words, ",") + "}"};
}

std::optional<int> moec::tools::parseCommandLine(CLI::App &app, int argc, char **argv) {
  app.set_version_flag("--version", app.get_name() + " " MOEC_VERSION, "print the version");
  app.set_help_flag("-h,--help", "print this help");
  std::string shell;
  app.add_option("--completion", shell, "print a script that completes this program's command lines in a shell")
      ->type_name("SHELL")
      ->check(oneOf(completedShells()))
      ->each([&app](const std::string &shell) {
        throw CLI::CallForVersion(completionScript(shell, app.get_name(), optionsOf(app)), 0); // printed, and done
      });
  app.failure_message([](const CLI::App *of, const CLI::Error &error) {
    return of->get_name() + ": error: " + error.what() + "; " + of->get_name() + " --help lists the options\n";
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error, std::cout, std::cerr) == 0 ? finishOutput(0) : 2;
  }
  return std::nullopt;
}

int moec::tools::complain(const Status &status) {
  std::fprintf(stderr, "%s: error: %s\n", program_invocation_short_name, status.message().c_str());
  return 2;
}

int moec::tools::finishOutput(int code) {
  std::cout.flush();
  if (std::fflush(stdout) == 0 && !std::ferror(stdout) && std::cout)
    return code;
  return complain(Status::ioError("cannot write to standard output"));
}
