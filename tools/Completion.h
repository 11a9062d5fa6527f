// Completion of command lines in shells, from the options that a program declares.
#ifndef MOEC_TOOLS_COMPLETION_H
#define MOEC_TOOLS_COMPLETION_H

#include <string>
#include <string_view>
#include <vector>

namespace moec::tools {

/// What can stand where an option expects a value.
struct CompletedValue {
  enum class Kind { none, text, file, folder, choice };
  Kind kind = Kind::none;
  std::vector<std::string> choices = {};

  /// By the name that help shows for the value: FILE... or filename for a file, FOLDER... or directory for a folder, ...{a,b,c} for
  /// one of these.
  static CompletedValue named(std::string_view shown);
};

struct CompletedOption {
  std::vector<std::string> names; ///< with their dashes
  std::string help;               ///< of which the first line is shown
  CompletedValue value;
};

/// The shells that there are scripts for.
std::vector<std::string> completedShells();

/// The script that makes `shell`, one of these, complete the command lines of `program`; what is no option is completed as a file.
std::string completionScript(std::string_view shell, const std::string &program, const std::vector<CompletedOption> &options);

} // namespace moec::tools

#endif // MOEC_TOOLS_COMPLETION_H
