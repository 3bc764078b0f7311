// Goal: the command line is read strictly and lies over the configuration file.
// Method: argument lists through ParseFlags; files in a temporary folder through
// LoadEffectiveConfig.

#include "daemon/config/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tally::config {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class FlagsTest : public ::testing::Test {
 protected:
  FlagsTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tally-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~FlagsTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& text) {
    const std::string path = folder_ / "tallyd.yaml";
    std::ofstream(path) << text;
    return path;
  }

  std::filesystem::path folder_;
};

std::string ErrorOf(const std::vector<std::string>& arguments) {
  const auto flags = ParseFlags(arguments);
  return flags.ok() ? "no error" : std::string(flags.status().message());
}

TEST_F(FlagsTest, UnknownFlagsMissingValuesAndStrayArgumentsAreNamed) {
  EXPECT_THAT(ErrorOf({"--confg", "x"}), AllOf(HasSubstr("--confg"), HasSubstr("--help")));
  EXPECT_THAT(ErrorOf({"--config"}), HasSubstr("--config"));
  EXPECT_THAT(ErrorOf({"run"}), AllOf(HasSubstr("\"run\""), HasSubstr("--help")));
}

TEST_F(FlagsTest, FlagsLieOverTheFileAndSaySoWhenPrinted) {
  const std::string path =
      Write("version: 1\nstate_dir: /file\nlisten: {unix: /file.sock, tcp: \"127.0.0.1:1\"}\n");
  const auto flags =
      ParseFlags({"--config", path, "--state-dir=/flag", "--listen", "unix:/flag.sock"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  const auto loaded = LoadEffectiveConfig(*flags);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.state_dir, "/flag");
  EXPECT_EQ(loaded->config.listen.unix_path, "/flag.sock");
  EXPECT_EQ(loaded->config.listen.tcp, "");
  EXPECT_THAT(PrintConfig(*loaded), HasSubstr("state_dir: \"/flag\"  # command line\n"));
}

TEST_F(FlagsTest, ANamedFileMustExistAndTheDefaultOneNeedNot) {
  const auto named = ParseFlags({"--config", (folder_ / "none.yaml").string()});
  ASSERT_TRUE(named.ok());
  EXPECT_THAT(std::string(LoadEffectiveConfig(*named).status().message()), HasSubstr("none.yaml"));
  if (!std::filesystem::exists("/etc/tally/tallyd.yaml")) {
    EXPECT_TRUE(LoadEffectiveConfig(Flags()).ok());
  }
}

TEST_F(FlagsTest, AListenAddressFromTheCommandLineIsCheckedToo) {
  const auto flags = ParseFlags({"--config", Write("version: 1\n"), "--listen", "0.0.0.0:80"});
  ASSERT_TRUE(flags.ok());
  EXPECT_THAT(std::string(LoadEffectiveConfig(*flags).status().message()),
              AllOf(HasSubstr("listen.tcp"), HasSubstr("0.0.0.0:80")));
}

TEST_F(FlagsTest, TheHelpNamesEveryFlagAndHasAnExample) {
  const std::string help = HelpText();
  for (const char* flag : {"--config", "--state-dir", "--listen", "--check-config",
                           "--print-config", "--version", "--help", "Example:"}) {
    EXPECT_THAT(help, HasSubstr(flag));
  }
}

}  // namespace
}  // namespace tally::config
