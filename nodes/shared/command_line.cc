#include "nodes/shared/command_line.h"

#include <absl/strings/str_cat.h>

#include <vector>

#include "nodes/shared/command_table.h"
#include "nodes/shared/suggestion.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

// The commands that were understood, from the program to the innermost.
std::vector<const CLI::App*> UnderstoodOf(const CLI::App& program) {
  std::vector<const CLI::App*> chain{&program};
  while (!chain.back()->get_subcommands().empty()) chain.push_back(chain.back()->get_subcommands().front());
  return chain;
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : CommandsOf(app)) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> LongNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : OptionsOf(app)) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

}  // namespace

std::string WrongUsage(const CLI::App& program, const CLI::Error& error) {
  const std::vector<const CLI::App*> understood = UnderstoodOf(program);
  const CLI::App& command = *understood.back();
  std::string words = program.get_name();
  for (const CLI::App* app : understood) {
    if (app != &program) absl::StrAppend(&words, " ", app->get_name());
  }
  std::string wrong = error.what(), meant;
  const std::vector<std::string> left = program.remaining(true);
  if (!left.empty()) {
    const std::string word = left.front().substr(0, left.front().find('='));
    const std::vector<std::string> commands = CommandNames(command);
    if (word.starts_with('-')) {
      wrong = absl::StrCat("unknown option '", Printable(word), "'");
      meant = Suggestion(word, LongNames(command));
    } else if (!commands.empty()) {
      wrong = absl::StrCat("unknown command '", Printable(word), "'");
      meant = Suggestion(word, commands);
    } else {
      wrong = absl::StrCat("'", Printable(left.front()), "' is one argument too many");
    }
  }
  if (!meant.empty()) absl::StrAppend(&wrong, ", did you mean '", meant, "'?");
  return absl::StrCat(program.get_name(), ": ", wrong, " (see ", words, " --help)");
}

}  // namespace bt::nodes
