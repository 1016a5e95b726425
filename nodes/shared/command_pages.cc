#include "nodes/shared/command_pages.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>
#include <absl/strings/str_split.h>

#include <algorithm>

#include "nodes/shared/command_table.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

std::vector<const CLI::Option*> PositionalsOf(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return option->get_positional(); });
}

bool TakesValue(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

// "-o", "--output".
std::vector<std::string> NamesOf(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

// A command and the words that lead to it: {} for the program, {"cluster", "add"}.
struct Place {
  std::vector<std::string> words;
  const CLI::App* app;
};

// The program, then its commands, each before those below it.
std::vector<Place> PlacesOf(const CLI::App& program) {
  std::vector<Place> places{{{}, &program}};
  for (size_t i = 0; i < places.size(); ++i) {
    const Place place = places[i];
    size_t at = i;
    for (const CLI::App* command : CommandsOf(*place.app)) {
      Place below{place.words, command};
      below.words.push_back(command->get_name());
      places.insert(places.begin() + static_cast<std::ptrdiff_t>(++at), std::move(below));
    }
  }
  return places;
}

// Text for troff: a backslash, a hyphen and a line's first dot or quote mean something to it.
std::string Roff(std::string_view text) {
  std::vector<std::string> lines = absl::StrSplit(Absl(text), '\n');
  for (std::string& line : lines) {
    absl::StrReplaceAll({{"\\", "\\e"}, {"-", "\\-"}}, &line);
    if (!line.empty() && (line[0] == '.' || line[0] == '\'')) line.insert(0, "\\&");
  }
  return absl::StrJoin(lines, "\n");
}

// As it is, line by line: footers hold examples.
std::string Verbatim(std::string_view text) {
  return absl::StrCat(".nf\n", Roff(std::string(absl::StripAsciiWhitespace(Absl(text)))), "\n.fi\n");
}

std::string OptionEntry(const CLI::Option& option) {
  std::string head = option.nonpositional() ? absl::StrJoin(NamesOf(option), ", ") : option.get_name(true);
  if (option.nonpositional() && TakesValue(option)) absl::StrAppend(&head, " ", option.get_type_name());
  return absl::StrCat(".TP\n.B ", Roff(head), "\n", Roff(option.get_description()), "\n");
}

std::string Entries(const CLI::App& app) {
  std::string text;
  for (const CLI::Option* option : PositionalsOf(app)) text += OptionEntry(*option);
  for (const CLI::Option* option : OptionsOf(app)) text += OptionEntry(*option);
  return text;
}

std::string Synopsis(const CLI::App& program, const Place& place) {
  std::vector<std::string> words{program.get_name()};
  words.insert(words.end(), place.words.begin(), place.words.end());
  std::string line = absl::StrCat(".B ", Roff(absl::StrJoin(words, " ")), "\n");
  for (const CLI::Option* option : PositionalsOf(*place.app)) {
    absl::StrAppend(&line, ".I ", Roff(option->get_name(true)), "\n");
  }
  if (!OptionsOf(*place.app).empty()) line += "[options]\n";
  return line + ".br\n";
}

// A command's own options, and those of what is above it where it takes them (CLI11's fallthrough), each name
// once.
std::vector<const CLI::Option*> OptionsAt(const Place& place) {
  std::vector<const CLI::Option*> options = OptionsOf(*place.app);
  for (const CLI::App* app = place.app; app->get_fallthrough() && app->get_parent() != nullptr;) {
    app = app->get_parent();
    for (const CLI::Option* option : OptionsOf(*app)) {
      const auto same = [option](const CLI::Option* own) { return own->get_name() == option->get_name(); };
      if (std::none_of(options.begin(), options.end(), same)) options.push_back(option);
    }
  }
  return options;
}

// The words that may follow at a place.
std::string WordsAt(const Place& place) {
  std::vector<std::string> words;
  for (const CLI::App* command : CommandsOf(*place.app)) words.push_back(command->get_name());
  for (const CLI::Option* option : OptionsAt(place)) {
    for (std::string& name : NamesOf(*option)) words.push_back(std::move(name));
  }
  return absl::StrJoin(words, " ");
}

// A shell function's name: bytetorrent-tracker is none everywhere.
std::string FunctionName(const CLI::App& program) {
  return "_" + absl::StrReplaceAll(program.get_name(), {{"-", "_"}});
}

// Sets `place` to the words of the commands before the cursor, and `words` to what may follow. The same in
// bash and zsh; `before` holds the finished words of the command line.
std::string PlaceLookup(const CLI::App& program) {
  std::string commands, words;
  for (const Place& place : PlacesOf(program)) {
    const std::string path = absl::StrJoin(place.words, " ");
    if (!path.empty()) absl::StrAppend(&commands, commands.empty() ? "" : "|", "\"", path, "\"");
    absl::StrAppend(&words, "    \"", path, "\") words=\"", WordsAt(place), "\" ;;\n");
  }
  std::string text = "  local place=\"\" words=\"\" word\n";
  if (!commands.empty()) {
    absl::StrAppend(&text,
                    "  for word in \"${before[@]}\"; do\n    case \"${place:+$place }$word\" in\n      ",
                    commands, ") place=\"${place:+$place }$word\" ;;\n    esac\n  done\n");
  }
  return absl::StrCat(text, "  case \"$place\" in\n", words, "  esac\n");
}

std::string BashCompletion(const CLI::App& program) {
  const std::string function = FunctionName(program);
  return absl::StrCat(
      function, "() {\n  local before=(\"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n", PlaceLookup(program),
      "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n}\n"
      "complete -o default -F ",
      function, " ", program.get_name(), "\n");
}

std::string ZshCompletion(const CLI::App& program) {
  return absl::StrCat("#compdef ", program.get_name(),
                      "\nlocal -a before\nbefore=(\"${(@)words[2,CURRENT-1]}\")\n", "() {\n",
                      PlaceLookup(program), "  compadd -- ${=words}\n}\n_files\n");
}

std::string FishQuoted(std::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(Absl(text), {{"\\", "\\\\"}, {"'", "\\'"}}), "'");
}

// A function that says whether the commands before the cursor are these words. fish's own
// __fish_seen_subcommand_from takes "cluster status" for the command "status", too.
std::string FishPlaceTest(const CLI::App& program) {
  std::string commands;
  for (const Place& place : PlacesOf(program)) {
    if (!place.words.empty()) absl::StrAppend(&commands, " '", absl::StrJoin(place.words, " "), "'");
  }
  const std::string add = commands.empty() ? ""
                                           : absl::StrCat("  for word in $words[2..]\n    contains -- ",
                                                          "(string join -- ' ' $place $word)", commands,
                                                          "; and set -a place $word\n  end\n");
  return absl::StrCat("function ", FunctionName(program),
                      "_at\n  set -l place\n  set -l words (commandline -opc)\n", add,
                      "  test \"$place\" = \"$argv\"\nend\n");
}

std::string FishCompletion(const CLI::App& program) {
  std::string text = FishPlaceTest(program);
  for (const Place& place : PlacesOf(program)) {
    std::string condition = FunctionName(program) + "_at";
    for (const std::string& word : place.words) absl::StrAppend(&condition, " ", word);
    const auto add = [&](const std::string& what, std::string_view description) {
      absl::StrAppend(&text, "complete -c ", program.get_name(), " -n ", FishQuoted(condition), what, " -d ",
                      FishQuoted(description), "\n");
    };
    for (const CLI::App* command : CommandsOf(*place.app)) {
      add(" -a " + command->get_name(), command->get_description());
    }
    for (const CLI::Option* option : OptionsAt(place)) {
      std::string names;
      for (const std::string& name : option->get_snames()) absl::StrAppend(&names, " -s ", name);
      for (const std::string& name : option->get_lnames()) absl::StrAppend(&names, " -l ", name);
      if (TakesValue(*option)) names += " -r";
      add(names, option->get_description());
    }
  }
  return text;
}

}  // namespace

std::string ManualPage(const CLI::App& program, int section, std::string_view version) {
  const std::string name = program.get_name();
  std::string page = absl::StrCat(".TH ", Roff(absl::AsciiStrToUpper(name)), " ", section,
                                  " \"\" \"ByteTorrent ", Absl(version), "\"\n.SH NAME\n", Roff(name),
                                  " \\- ", Roff(program.get_description()), "\n.SH SYNOPSIS\n");
  const std::vector<Place> places = PlacesOf(program);
  for (const Place& place : places) {
    if (CommandsOf(*place.app).empty() || place.app->get_require_subcommand_min() == 0) {
      page += Synopsis(program, place);
    }
  }
  absl::StrAppend(&page, ".SH OPTIONS\n", Entries(program));
  if (places.size() > 1) page += ".SH COMMANDS\n";
  for (const Place& place : places) {
    if (place.words.empty()) continue;
    absl::StrAppend(&page, ".SS ", Roff(absl::StrJoin(place.words, " ")), "\n",
                    Roff(place.app->get_description()), "\n", Entries(*place.app));
    if (!place.app->get_footer().empty()) absl::StrAppend(&page, ".PP\n", Verbatim(place.app->get_footer()));
  }
  if (!program.get_footer().empty()) {
    absl::StrAppend(&page, ".SH NOTES\n", Verbatim(program.get_footer()));
  }
  return page;
}

std::string Completion(const CLI::App& program, std::string_view shell) {
  if (shell == "zsh") return ZshCompletion(program);
  if (shell == "fish") return FishCompletion(program);
  return BashCompletion(program);
}

void AddPages(CLI::App& program, int section, std::string_view version) {
  // As CLI11's own --version does it: what is thrown here is printed, and the program ends.
  program
      .add_flag_callback(
          "--manual",
          [&program, section, version = std::string(version)] {
            throw CLI::CallForVersion(ManualPage(program, section, version), 0);
          },
          "print the manual page, for man(1)")
      ->trigger_on_parse();
  program
      .add_option_function<std::string>(
          "--completion",
          [&program](const std::string& shell) { throw CLI::CallForVersion(Completion(program, shell), 0); },
          "print what bash, zsh or fish needs to complete this command line")
      ->type_name("SHELL")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kShells), std::end(kShells))))
      ->trigger_on_parse();
}

}  // namespace bt::nodes
