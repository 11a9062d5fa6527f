// --completion of the programs whose options are LLVM's.
#ifndef MOEC_TOOLS_COMPLETIONOPTION_H
#define MOEC_TOOLS_COMPLETIONOPTION_H

#include "llvm/Support/CommandLine.h"

namespace moec::tools {

/// When it is parsed, it prints a shell's script for all options that help shows, and ends the program.
class CompletionOption {
public:
  CompletionOption(const CompletionOption &) = delete;
  explicit CompletionOption(std::string program, llvm::cl::OptionCategory &category = llvm::cl::getGeneralCategory());

  /// The words that an option takes.
  template <typename T> CompletionOption &complete(llvm::cl::opt<T> &option) {
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
  llvm::cl::opt<std::string> option;
};

} // namespace moec::tools

#endif // MOEC_TOOLS_COMPLETIONOPTION_H
