// What a mistyped command line is told, and the pages that are made from the table of commands.

#include "nodes/shared/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "nodes/shared/command_pages.h"
#include "nodes/shared/suggestion.h"

namespace bt::nodes {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// git-like: "tool send FILE --limit N", "tool group add".
struct Tool {
  Tool() {
    CLI::App* send = app.add_subcommand("send", "give a file away");
    send->add_option("FILE", file, "what to send")->required();
    send->add_option("-l,--limit", limit, "at most so many; it's a number")->type_name("N");
    send->add_flag("--quiet", quiet, "say nothing");
    send->footer("\nExample:\n  tool send a\\b");
    CLI::App* group = app.add_subcommand("group", "who receives");
    group->require_subcommand(1);
    group->add_subcommand("add", ".one more");
    group->add_subcommand("send", "give to all of them");
    app.add_subcommand("first", "begin")->fallthrough();
    app.add_option("--folder", folder, "where");
    app.require_subcommand(1);
    AddPages(app, 1, "7.8");
  }

  // What is said about these arguments, which are wrong.
  std::string Wrong(std::vector<std::string> words) {
    std::reverse(words.begin(), words.end());
    try {
      app.parse(std::move(words));
    } catch (const CLI::Error& error) {
      return WrongUsage(app, error);
    }
    return "accepted";
  }

  CLI::App app{"A tool.", "tool"};
  std::string file;
  int limit = 0;
  bool quiet = false;
  std::string folder;
};

TEST(CommandLine, AMistypedCommandIsToldTheNearest) {
  EXPECT_EQ(Tool().Wrong({"sned", "a"}),
            "tool: unknown command 'sned', did you mean 'send'? (see tool --help)");
  EXPECT_EQ(Tool().Wrong({"group", "ad"}),
            "tool: unknown command 'ad', did you mean 'add'? (see tool group --help)");
}

TEST(CommandLine, WhatIsNearNothingIsNotGuessedAt) {
  EXPECT_EQ(Tool().Wrong({"frobnicate"}), "tool: unknown command 'frobnicate' (see tool --help)");
}

TEST(CommandLine, AMistypedOptionIsToldTheNearestOfItsCommand) {
  EXPECT_EQ(Tool().Wrong({"send", "a", "--limt=3"}),
            "tool: unknown option '--limt', did you mean '--limit'? (see tool send --help)");
  EXPECT_EQ(Tool().Wrong({"send", "a", "--color"}), "tool: unknown option '--color' (see tool send --help)");
}

TEST(CommandLine, OneArgumentTooManyIsNamed) {
  EXPECT_EQ(Tool().Wrong({"send", "a", "b"}), "tool: 'b' is one argument too many (see tool send --help)");
}

TEST(CommandLine, WhatAnOptionSaysItselfIsLeftAsItIs) {
  EXPECT_THAT(Tool().Wrong({"send", "a", "--limit", "many"}), HasSubstr("--limit"));
  EXPECT_THAT(Tool().Wrong({"send"}), HasSubstr("FILE is required (see tool send --help)"));
}

TEST(CommandLine, ControlCharactersOfAWordDoNotReachTheTerminal) {
  EXPECT_THAT(Tool().Wrong({"\x1b[31mred"}), Not(HasSubstr("\x1b")));
}

TEST(CommandLine, AValueIsShownAsOneWordAndAnArgumentAsItsName) {
  Tool tool;
  CLI::App* send = tool.app.get_subcommand("send");
  send->get_option("--limit")->transform(CLI::AsSizeValue(false))->check(CLI::Range(1, 9));
  ShowValuesAsWords(tool.app);
  EXPECT_EQ(send->get_option("--limit")->get_type_name(), "N");
  EXPECT_EQ(send->get_option("FILE")->get_type_name(), "");
  // They hold all the same.
  EXPECT_THAT(tool.Wrong({"send", "a", "--limit", "10"}), HasSubstr("10"));
}

TEST(Suggestions, CountLettersPutInLeftOutReplacedAndSwapped) {
  EXPECT_EQ(EditDistance("offer", "offer"), 0u);
  EXPECT_EQ(EditDistance("ofer", "offer"), 1u);
  EXPECT_EQ(EditDistance("offfer", "offer"), 1u);
  EXPECT_EQ(EditDistance("ogfer", "offer"), 1u);
  EXPECT_EQ(EditDistance("fofer", "offer"), 1u);
  EXPECT_EQ(EditDistance("", "offer"), 5u);
  EXPECT_EQ(EditDistance(std::string(65, 'a'), std::string(65, 'a')), 64u);
}

TEST(Suggestions, AreNearAndNotHalfAnotherWord) {
  EXPECT_EQ(Suggestion("donwload", {"offer", "download"}), "download");
  EXPECT_EQ(Suggestion("dwnlod", {"offer", "download"}), "download");
  EXPECT_EQ(Suggestion("dld", {"offer", "download"}), "");
  EXPECT_EQ(Suggestion("ab", {"add"}), "");
}

TEST(Pages, AManualNamesEachCommandAndOption) {
  const Tool tool;
  const std::string page = ManualPage(tool.app, 1, "7.8");
  EXPECT_THAT(page, HasSubstr(".TH TOOL 1 \"\" \"ByteTorrent 7.8\""));
  EXPECT_THAT(page, HasSubstr("tool \\- A tool."));
  EXPECT_THAT(page, HasSubstr(".SS group add"));
  EXPECT_THAT(page, HasSubstr(".B \\-l, \\-\\-limit N\nat most so many; it's a number"));
  // troff would take the first dot for a request, and the backslash for an escape.
  EXPECT_THAT(page, HasSubstr("\n\\&.one more"));
  EXPECT_THAT(page, HasSubstr("tool send a\\eb"));
}

TEST(Pages, TheOptionsThatPrintThemEndTheProgramWithStatus0) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--manual"}, {"bash", "--completion"}}) {
    Tool tool;
    try {
      tool.app.parse(std::vector<std::string>(words));
      ADD_FAILURE() << "went on";
    } catch (const CLI::Success& end) {
      EXPECT_EQ(end.get_exit_code(), 0);
    }
  }
  EXPECT_THAT(Tool().Wrong({"--completion", "csh"}), HasSubstr("csh"));
}

TEST(Pages, FishIsToldWhichOptionsTakeAValue) {
  const std::string text = Completion(Tool().app, "fish");
  EXPECT_THAT(text, HasSubstr("complete -c tool -n '_tool_at send' -s l -l limit -r -d "
                              "'at most so many; it\\'s a number'\n"));
  EXPECT_THAT(text, HasSubstr("complete -c tool -n '_tool_at send' -l quiet -d 'say nothing'\n"));
  EXPECT_THAT(text, HasSubstr("complete -c tool -n '_tool_at group' -a add"));
  // A command of the same name elsewhere has options of its own.
  EXPECT_THAT(text, Not(HasSubstr("-n '_tool_at group send' -l quiet")));
}

TEST(Pages, ACommandThatTakesTheProgramsOptionsCompletesThem) {
  EXPECT_THAT(Completion(Tool().app, "fish"), HasSubstr("-n '_tool_at first' -l folder -r"));
  EXPECT_THAT(Completion(Tool().app, "fish"), Not(HasSubstr("-n '_tool_at send' -l folder")));
  EXPECT_THAT(Completion(Tool().app, "bash"), HasSubstr("\"first\") words=\"-h --help --folder"));
}

}  // namespace
}  // namespace bt::nodes
