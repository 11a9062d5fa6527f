// Completion of command lines in shells, from the options that a program declares.
#include "tools/Completion.h"

#include <algorithm>
#include <iterator>
#include <map>

using namespace moec::tools;
using Kind = CompletedValue::Kind;

namespace {
std::string joined(const std::vector<std::string> &words, std::string_view between) {
  std::string text;
  for (const std::string &word : words)
    text.append(text.empty() ? "" : between).append(word);
  return text;
}

/// In single quotes, which every shell here takes as they are; `quote` is how a single quote is written within them.
std::string quoted(std::string_view text, std::string_view quote) {
  std::string result = "'";
  for (char c : text)
    c == '\'' ? result.append(quote) : result.append(1, c);
  return result + "'";
}

std::string firstLine(const std::string &help) { return help.substr(0, help.find('\n')); }

std::string functionOf(std::string program) {
  std::ranges::replace(program, '-', '_');
  return "_" + program;
}

std::string headOf(const std::string &program, const std::string &shell) {
  return "# Completes " + program + " in " + shell + ". To use it: " +
         (shell == "fish" ? program + " --completion fish | source\n" : "source <(" + program + " --completion " + shell + ")\n");
}

std::string bashScript(const std::string &program, const std::vector<CompletedOption> &options) {
  std::vector<std::string> names;
  std::map<std::string, std::vector<std::string>> answers; // to which options
  for (const CompletedOption &option : options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
    std::string answer = option.value.kind == Kind::choice   ? "words=" + quoted(joined(option.value.choices, " "), "'\\''") + " "
                         : option.value.kind == Kind::file   ? "action=file "
                         : option.value.kind == Kind::folder ? "action=directory "
                                                             : "";
    if (option.value.kind != Kind::none)
      std::ranges::copy(option.names, std::back_inserter(answers[answer]));
  }
  std::string cases;
  for (const auto &[answer, asked] : answers)
    cases += "  " + joined(asked, " | ") + ") " + answer + ";;\n";
  return headOf(program, "bash") + functionOf(program) + "() {\n" +
         R"(  local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} words='' action=''
  # --name=value comes as three words.
  if [[ $word == = ]]; then
    word=''
  elif [[ $option == = ]]; then
    option=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case $option in
)" + cases +
         "  *) if [[ $word == -* ]]; then words='" + joined(names, " ") + R"('; else action=file; fi ;;
  esac
  COMPREPLY=()
  if [[ -n $action ]]; then
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -A "$action" -- "$word")
  elif [[ -n $words ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  fi
}
complete -F )" +
         functionOf(program) + " " + program + "\n";
}

std::string zshScript(const std::string &program, const std::vector<CompletedOption> &options) {
  std::string specs;
  for (const CompletedOption &option : options) {
    std::string help;
    for (char c : firstLine(option.help))
      help += std::string(c == '[' || c == ']' || c == '\\' ? "\\" : "") + c;
    const std::string value = option.value.kind == Kind::choice   ? ":value:(" + joined(option.value.choices, " ") + ")"
                              : option.value.kind == Kind::file   ? ":file:_files"
                              : option.value.kind == Kind::folder ? ":folder:_files -/"
                              : option.value.kind == Kind::text   ? ":value: "
                                                                  : "";
    for (const std::string &name : option.names)
      specs += "    " + quoted("*" + name + (value.empty() || !name.starts_with("--") ? "[" : "=[") + help + "]" + value, "'\\''") +
               " \\\n";
  }
  return "#compdef " + program + "\n" + headOf(program, "zsh") + functionOf(program) + "() {\n  _arguments \\\n" + specs +
         "    '*:file:_files'\n}\ncompdef " + functionOf(program) + " " + program + "\n";
}

std::string fishScript(const std::string &program, const std::vector<CompletedOption> &options) {
  std::string lines;
  for (const CompletedOption &option : options) {
    lines += "complete -c " + program;
    for (const std::string &name : option.names)
      lines += name.starts_with("--") ? " -l " + name.substr(2) : (name.size() == 2 ? " -s " : " -o ") + name.substr(1);
    lines += option.value.kind == Kind::choice   ? " -x -a " + quoted(joined(option.value.choices, " "), "\\'")
             : option.value.kind == Kind::file   ? " -r -F"
             : option.value.kind == Kind::folder ? " -x -a '(__fish_complete_directories)'"
             : option.value.kind == Kind::text   ? " -x"
                                                 : "";
    lines += " -d " + quoted(firstLine(option.help), "\\'") + "\n";
  }
  return headOf(program, "fish") + lines;
}
} // namespace

CompletedValue CompletedValue::named(std::string_view shown) {
  if (size_t open = shown.find('{'), close = shown.rfind('}'); open < close && close != shown.npos) {
    CompletedValue value{Kind::choice};
    for (size_t at = open + 1; at <= close;) {
      size_t end = std::min(shown.find(',', at), close);
      value.choices.emplace_back(shown.substr(at, end - at));
      at = end + 1;
    }
    return value;
  }
  if (shown.starts_with("FILE") || shown == "filename")
    return {Kind::file};
  return {shown.starts_with("FOLDER") || shown == "directory" ? Kind::folder : Kind::text};
}

std::vector<std::string> moec::tools::completedShells() { return {"bash", "zsh", "fish"}; }

std::string moec::tools::completionScript(std::string_view shell, const std::string &program,
                                          const std::vector<CompletedOption> &options) {
  return shell == "bash"  ? bashScript(program, options)
         : shell == "zsh" ? zshScript(program, options)
                          : fishScript(program, options);
}
