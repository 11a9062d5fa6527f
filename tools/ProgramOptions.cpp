// --version and --completion of the programs whose options are LLVM's.
#include "tools/ProgramOptions.h"

#include "tools/Completion.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using namespace moec::tools;
namespace cl = llvm::cl;

ProgramOptions::ProgramOptions(std::string program, cl::OptionCategory &category)
    : program(std::move(program)),
      completion("completion", cl::desc("Print a script that completes this program's command lines in bash, zsh or fish"),
                 cl::value_desc("SHELL"), cl::cat(category), cl::callback([this](const std::string &shell) {
                   if (llvm::is_contained(completedShells(), shell)) {
                     llvm::outs() << script(shell);
                     std::exit(0);
                   }
                   llvm::errs() << this->program << ": error: --completion: expected one of " << llvm::join(completedShells(), ", ")
                                << ", got '" << shell << "'\n";
                   std::exit(2);
                 })) {
  cl::SetVersionPrinter([this](llvm::raw_ostream &out) { out << this->program << " " MOEC_VERSION "\n"; });
}

std::string ProgramOptions::script(llvm::StringRef shell) const {
  std::vector<CompletedOption> options;
  for (const auto &[name, declared] : cl::getRegisteredOptions()) {
    bool isShown = declared->getOptionHiddenFlag() == cl::NotHidden || declared == &completion;
    if (!isShown || declared->isPositional())
      continue;
    CompletedOption described{{(name.size() == 1 ? "-" : "--") + name.str()}, declared->HelpStr.str(), {}};
    if (declared->getValueExpectedFlag() == cl::ValueRequired)
      described.value = CompletedValue::named(declared->ValueStr.str());
    if (declared == &completion)
      described.value = {CompletedValue::Kind::choice, completedShells()};
    for (const Choices &known : choices)
      if (known.option == declared) {
        described.value.kind = CompletedValue::Kind::choice;
        for (unsigned i = 0; i < known.words->getNumOptions(); ++i)
          described.value.choices.push_back(known.words->getOption(i).str());
      }
    options.push_back(std::move(described));
  }
  llvm::sort(options, [](const CompletedOption &a, const CompletedOption &b) { return a.names < b.names; });
  return completionScript(shell.str(), program, options);
}
