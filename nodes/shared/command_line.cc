#include "nodes/shared/command_line.h"

#include <absl/strings/str_cat.h>

#include <string_view>
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

// Names of commands, without the program's.
std::string WordsOf(const std::vector<const CLI::App*>& understood) {
  std::string words;
  for (size_t i = 1; i < understood.size(); ++i) {
    absl::StrAppend(&words, words.empty() ? "" : " ", understood[i]->get_name());
  }
  return words;
}

// CLI11 says of an option's checks only that there is no further one, by throwing.
void HideChecks(CLI::Option& option) {
  try {
    for (int i = 0;; ++i) option.get_validator(i)->description("");
  } catch (const CLI::OptionNotFound&) {
  }
}

}  // namespace

void ShowValuesAsWords(CLI::App& program) {
  for (CLI::Option* option : program.get_options([](const CLI::Option*) { return true; })) {
    HideChecks(*option);
    if (option->get_positional()) option->type_name("");
  }
  for (CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; })) {
    ShowValuesAsWords(*command);
  }
}

std::string CommandWords(const CLI::App& program) { return WordsOf(UnderstoodOf(program)); }

bool AsksForJson(const CLI::App& program) {
  const CLI::Option* json = UnderstoodOf(program).back()->get_option_no_throw("--json");
  return json != nullptr && json->count() > 0 && json->as<bool>();
}

bool MayAskForJson(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--") return false;
    if (argument == "--json") return true;
  }
  return false;
}

std::string WrongUsage(const CLI::App& program, const CLI::Error& error) {
  const std::vector<const CLI::App*> understood = UnderstoodOf(program);
  const CLI::App& command = *understood.back();
  const std::string words =
      absl::StrCat(program.get_name(), understood.size() > 1 ? " " : "", WordsOf(understood));
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
