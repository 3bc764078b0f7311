// Goal: what all commands share: help with examples, --json, errors, exit codes, progress, files
// written whole. Method: the command line run in this process; progress by a clock the test moves.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "client/cli/atomic_file.h"
#include "client/cli/exit_code.h"
#include "client/cli/json_object.h"
#include "client/cli/progress.h"
#include "core/text/value.h"
#include "tally/v1/training.pb.h"
#include "tests/client/cli/run_tally.h"
#include "tests/support/temporary_folder.h"

namespace tally::cli {
namespace {

std::vector<std::string> CommandNames() {
  std::ostringstream stream;
  Output output(stream, stream, false, false);
  CommandSet commands(output);
  AddAllCommands(commands);
  return commands.Names();
}

TEST(FrameTest, EveryHelpHasAnExampleOfItsOwnCommand) {
  const std::vector<std::string> names = CommandNames();
  EXPECT_GE(names.size(), 4u);
  for (const std::string& name : names) {
    const RunResult result = RunTally({name, "--help"});
    EXPECT_EQ(result.exit_code, 0) << name;
    EXPECT_NE(result.out.find("Usage: tally " + name), std::string::npos) << result.out;
    const size_t example = result.out.find("Example:\n  tally ");
    ASSERT_NE(example, std::string::npos) << result.out;
    EXPECT_NE(result.out.find("  tally " + name, example), std::string::npos) << result.out;
  }
  const RunResult result = RunTally({"--help"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.out.find("Example:\n  tally "), std::string::npos);
  for (const std::string& name : names) EXPECT_NE(result.out.find(name), std::string::npos);
}

TEST(FrameTest, PrintsTheVersion) {
  const RunResult result = RunTally({"--version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out.substr(0, 7), "tally 0");
}

struct BadCommandLine {
  const char* name;
  std::vector<std::string> arguments;
  const char* message_part;
};

void PrintTo(const BadCommandLine& bad, std::ostream* out) { *out << bad.name; }

class BadCommandLineTest : public testing::TestWithParam<BadCommandLine> {};

TEST_P(BadCommandLineTest, IsAUsageErrorInTextAndJson) {
  const RunResult text = RunTally(GetParam().arguments);
  EXPECT_EQ(text.exit_code, 64);
  EXPECT_EQ(text.out, "");
  EXPECT_EQ(text.err.substr(0, 7), "tally: ");
  EXPECT_NE(text.err.find(GetParam().message_part), std::string::npos) << text.err;

  std::vector<std::string> arguments = GetParam().arguments;
  arguments.push_back("--json");
  const RunResult json = RunTally(arguments);
  EXPECT_EQ(json.exit_code, 64);
  EXPECT_TRUE(text::ParseJson(json.LastLine(), "stdout").ok()) << json.out;
  EXPECT_EQ(json.out.find("{\"error\":{\"code\":\"INVALID_ARGUMENT\",\"message\":"), 0u)
      << json.out;
  EXPECT_NE(json.out.find("\"exit_code\":64}}"), std::string::npos) << json.out;
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadCommandLineTest,
    testing::Values(
        BadCommandLine{"NoCommand", {}, "tally --help"},
        BadCommandLine{"UnknownCommand", {"frobnicate"}, "no command \"frobnicate\""},
        BadCommandLine{"MisspeltCommand", {"inspct", "x"}, "did you mean \"inspect\"?"},
        BadCommandLine{"UnknownOption", {"zoo", "--colour"}, "see `tally zoo --help`"},
        BadCommandLine{"MissingArgument", {"inspect"}, "file is required"},
        BadCommandLine{"MissingValue", {"fit", "x", "--epochs"}, "--epochs"},
        BadCommandLine{"NegativeCount", {"fit", "x", "--epochs", "-1"}, "--epochs"},
        BadCommandLine{"CountTooLarge", {"fit", "x", "--epochs", "4294967296"}, "--epochs"},
        BadCommandLine{"FractionalCount", {"fit", "x", "--epochs", "1.5"}, "--epochs"},
        BadCommandLine{
            "OutOfRange", {"synth", "--out", "/nonexistent/x", "--train", "0"}, "--train"}),
    [](const auto& info) { return info.param.name; });

TEST(ExitCodeTest, EveryCodeHasItsSysexit) {
  using absl::StatusCode;
  const std::vector<std::pair<StatusCode, int>> expected = {{StatusCode::kOk, 0},
                                                            {StatusCode::kInvalidArgument, 65},
                                                            {StatusCode::kOutOfRange, 65},
                                                            {StatusCode::kDataLoss, 65},
                                                            {StatusCode::kNotFound, 66},
                                                            {StatusCode::kUnavailable, 69},
                                                            {StatusCode::kDeadlineExceeded, 69},
                                                            {StatusCode::kFailedPrecondition, 69},
                                                            {StatusCode::kInternal, 70},
                                                            {StatusCode::kUnimplemented, 70},
                                                            {StatusCode::kAlreadyExists, 73},
                                                            {StatusCode::kUnknown, 74},
                                                            {StatusCode::kResourceExhausted, 75},
                                                            {StatusCode::kAborted, 75},
                                                            {StatusCode::kPermissionDenied, 77},
                                                            {StatusCode::kUnauthenticated, 77}};
  for (const auto& [code, exit_code] : expected) {
    EXPECT_EQ(static_cast<int>(ExitCodeOf(absl::Status(code, "x"))), exit_code) << CodeName(code);
  }
  EXPECT_EQ(ExitCodeOf(WithExitCode(absl::NotFoundError("x"), ExitCode::kConfig)),
            ExitCode::kConfig);
  EXPECT_EQ(ExitCodeOf(WithExitCode(absl::OkStatus(), ExitCode::kConfig)), ExitCode::kOk);
}

TEST(JsonObjectTest, PrintsIntegersOfAllSizesAsNumbers) {
  const JsonObject object =
      JsonObject()
          .Add("small", uint8_t{7})
          .Add("loss", int64_t{-20'000'000'000})
          .Add("most", UINT64_MAX)
          .Add("yes", true)
          .Add("text", "a \"quoted\"\nline")
          .Add("none", std::vector<std::string>{})
          .Add("shape", std::vector<uint64_t>{2, 3})
          .Add("inner", JsonObject().Add("x", 1))
          .Add("list", std::vector<JsonObject>{JsonObject(), JsonObject().Add("y", 2)});
  EXPECT_EQ(object.Text(),
            "{\"small\":7,\"loss\":-20000000000,\"most\":18446744073709551615,\"yes\":true,"
            "\"text\":\"a \\\"quoted\\\"\\nline\",\"none\":[],\"shape\":[2,3],\"inner\":{\"x\":1},"
            "\"list\":[{},{\"y\":2}]}");
}

TEST(OutputTest, TextGoesToStandardErrorUnderJson) {
  for (const bool json : {false, true}) {
    std::ostringstream out;
    std::ostringstream err;
    Output output(out, err, json, false);
    output.Line("words");
    output.Result(JsonObject().Add("n", 1));
    EXPECT_EQ(out.str(), json ? "{\"n\":1}\n" : "words\n");
    EXPECT_EQ(err.str(), json ? "words\n" : "");
  }
}

TEST(OutputTest, MessagesKeepTheirFieldNamesAndShowEveryField) {
  std::ostringstream out;
  Output output(out, out, true, false);
  v1::Prequential message;
  message.set_recent_seen(5);
  output.Result(message);
  EXPECT_EQ(out.str(),
            "{\"seen\":\"0\",\"correct\":\"0\",\"recent_seen\":5,\"recent_permille\":0}\n");
}

TEST(OutputTest, AClosedStandardOutputIsAnError) {
  std::ostringstream err;
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  Output output(out, err, false, false);
  CommandSet commands(output);
  AddAllCommands(commands);
  EXPECT_EQ(commands.Run({"zoo"}), 74);
}

TEST(ProgressTest, ATerminalLineIsRedrawnAtMostTenTimesASecond) {
  uint64_t now = 1000;
  std::ostringstream err;
  Progress progress(err, true, [&now] { return now; });
  for (int i = 1; i <= 1000; ++i) {  // one second, one step a millisecond
    ++now;
    progress.Update({static_cast<uint64_t>(i), 2000, 875});
  }
  const std::string text = err.str();
  const auto redraws = std::count(text.begin(), text.end(), '\r');
  EXPECT_GE(redraws, 9);
  EXPECT_LE(redraws, 11);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_NE(text.find("1000 samples/s  accuracy 87.50 %  ETA 2 s"), std::string::npos) << text;
  progress.Clear();
  EXPECT_TRUE(err.str().ends_with("\r\x1b[K"));
}

TEST(ProgressTest, PlainLinesComeAtEachTenthAndAtMostOnceASecond) {
  uint64_t now = 0;
  std::ostringstream err;
  Progress progress(err, false, [&now] { return now; });
  for (uint64_t i = 1; i <= 1000; ++i) {  // 100 seconds: a tenth every 10 s
    now += 100;
    progress.Update({i, 1000, 0});
  }
  EXPECT_EQ(std::ranges::count(err.str(), '\n'), 10);
  EXPECT_EQ(err.str().find('\r'), std::string::npos);

  std::ostringstream fast_err;
  Progress fast(fast_err, false, [&now] { return now; });
  for (uint64_t i = 1; i <= 1000; ++i) {  // 2.5 seconds: a tenth every 250 ms
    if (i % 2 == 0) now += 5;
    fast.Update({i, 1000, 0});
  }
  EXPECT_EQ(std::ranges::count(fast_err.str(), '\n'), 2);
  progress.Clear();
  EXPECT_EQ(fast_err.str().find('\x1b'), std::string::npos);
}

TEST(ProgressTest, WordsForDurationsAndShares) {
  EXPECT_EQ(DurationText(0), "0 s");
  EXPECT_EQ(DurationText(59), "59 s");
  EXPECT_EQ(DurationText(200), "3 min 20 s");
  EXPECT_EQ(DurationText(7500), "2 h 5 min");
  EXPECT_EQ(PercentText(9643, 10000), "96.43 %");
  EXPECT_EQ(PercentText(1, 20), "5.00 %");
  EXPECT_EQ(PercentText(3, 10000), "0.03 %");
  EXPECT_EQ(PercentText(10, 10), "100.00 %");
  EXPECT_EQ(PercentText(0, 0), "-");
}

TEST(AtomicFileTest, ReplacesTheFileAndLeavesNothingElse) {
  const TemporaryFolder folder;
  folder.Write("model", "old");
  ASSERT_TRUE(WriteFileAtomically(folder.Path("model"), std::string("n\0w", 3)).ok());
  EXPECT_EQ(folder.Read("model"), std::string("n\0w", 3));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()),
                          std::filesystem::directory_iterator()),
            1);
}

TEST(AtomicFileTest, AnErrorLeavesTheOldFileAndNoTemporaryOne) {
  const TemporaryFolder folder;
  // A folder cannot be replaced by a file: the rename fails after the temporary file was written.
  std::filesystem::create_directories(folder.Path("model/inner"));
  const absl::Status status = WriteFileAtomically(folder.Path("model"), "new");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kInputOutput);
  EXPECT_TRUE(std::filesystem::is_directory(folder.Path("model/inner")));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()),
                          std::filesystem::directory_iterator()),
            1);
  EXPECT_EQ(ExitCodeOf(WriteFileAtomically(folder.Path("no/such/folder"), "x")),
            ExitCode::kInputOutput);
}

}  // namespace
}  // namespace tally::cli
