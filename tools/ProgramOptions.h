// --version and --completion of the programs whose options are LLVM's.
#ifndef MOEC_TOOLS_PROGRAMOPTIONS_H
#define MOEC_TOOLS_PROGRAMOPTIONS_H

#include "llvm/Support/CommandLine.h"

namespace moec::tools {

/// Declares --completion, which prints a shell's script for all options that help shows and ends the program; --version prints the
/// program's own.
class ProgramOptions {
public:
  ProgramOptions(const ProgramOptions &) = delete;
  explicit ProgramOptions(std::string program, llvm::cl::OptionCategory &category = llvm::cl::getGeneralCategory());

  /// The words that an option takes.
  template <typename T> ProgramOptions &complete(llvm::cl::opt<T> &option) {
    choices.push_back({&option, &option.getParser()});
    return *this;
  }

private:
  struct Choices {
    const llvm::cl::Option *option;
    const llvm::cl::generic_parser_base *words;
  };
  std::string script(llvm::StringRef shell) const;

  std::string program;
  std::vector<Choices> choices;
  llvm::cl::opt<std::string> completion;
};

} // namespace moec::tools

#endif // MOEC_TOOLS_PROGRAMOPTIONS_H
