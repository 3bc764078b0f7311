// Goal: the command line is read strictly and lies over all other layers; files and drop-ins are
// found.
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

  std::string Write(const std::string& text, const std::string& name = "tallyd.yaml") {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path;
  }
  absl::StatusOr<LoadedConfig> Load(const std::string& file,
                                    const std::vector<std::string>& environment = {}) {
    Flags flags;
    flags.config_file = file;
    return LoadEffectiveConfig(flags, environment);
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
  const auto loaded = LoadEffectiveConfig(*flags, {});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.state_dir, "/flag");
  EXPECT_EQ(loaded->config.listen.unix_path, "/flag.sock");
  EXPECT_EQ(loaded->config.listen.tcp, "");
  EXPECT_THAT(PrintConfig(*loaded), HasSubstr("state_dir: \"/flag\"  # command line\n"));
}

TEST_F(FlagsTest, ANamedFileMustExistAndTheDefaultOneNeedNot) {
  const auto named = ParseFlags({"--config", (folder_ / "none.yaml").string()});
  ASSERT_TRUE(named.ok());
  EXPECT_THAT(std::string(LoadEffectiveConfig(*named, {}).status().message()),
              HasSubstr("none.yaml"));
  if (!std::filesystem::exists("/etc/tally/tallyd.yaml")) {
    EXPECT_TRUE(LoadEffectiveConfig(Flags(), {}).ok());
  }
}

TEST_F(FlagsTest, AListenAddressFromTheCommandLineIsCheckedToo) {
  const auto flags = ParseFlags({"--config", Write("version: 1\n"), "--listen", "0.0.0.0:80"});
  ASSERT_TRUE(flags.ok());
  EXPECT_THAT(std::string(LoadEffectiveConfig(*flags, {}).status().message()),
              AllOf(HasSubstr("listen.tcp"), HasSubstr("0.0.0.0:80")));
}

TEST_F(FlagsTest, FlagsLieOverDropInsAndVariables) {
  Write("state_dir: /drop-in\nlisten: {tcp: \"127.0.0.1:2\"}\n", "conf.d/10.yaml");
  auto flags = ParseFlags(
      {"--config", Write("version: 1\n"), "--state-dir", "/flag", "--listen", "127.0.0.1:3"});
  ASSERT_TRUE(flags.ok());
  const auto loaded = LoadEffectiveConfig(
      *flags, {"TALLY_STATE_DIR=/variable", "TALLY_LISTEN__TCP=0.0.0.0:4", "TALLY_LIMITS__ROWS=6"});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.state_dir, "/flag");
  EXPECT_EQ(loaded->config.listen.tcp, "127.0.0.1:3");
  EXPECT_EQ(loaded->config.limits.rows, 6u);
}

TEST_F(FlagsTest, DropInsAreReadInTheByteOrderOfTheirNames) {
  const std::string file = Write("version: 1\nlimits: {rows: 1}\n");
  Write("limits: {rows: 2}\n", "conf.d/9.yaml");
  Write("limits: {rows: 3}\n", "conf.d/10.yaml");
  Write("limits: {streams: 4}\n", "conf.d/Z.yaml");
  Write("limits: {streams: 5}\n", "conf.d/a.yaml");
  Write("no yaml: [\n", "conf.d/.hidden.yaml");
  Write("no yaml: [\n", "conf.d/a.yaml.orig");
  Write("no yaml: [\n", "conf.d/deeper/b.yaml");
  const auto loaded = Load(file);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.limits.rows, 2u);
  EXPECT_EQ(loaded->config.limits.streams, 5u);
  EXPECT_EQ(loaded->origins.at("limits.rows"), (folder_ / "conf.d/9.yaml").string() + ":1");
}

TEST_F(FlagsTest, AnEmptyDropInSaysNothing) {
  const std::string file = Write("version: 1\n");
  Write("# limits: {rows: 2}\n", "conf.d/10.yaml");
  const auto loaded = Load(file);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(loaded->origins.empty());
}

TEST_F(FlagsTest, ADropInThatCannotBeReadIsAnErrorWithItsName) {
  const std::string file = Write("version: 1\n");
  Write("limits: {rows: 2}\n", "conf.d/10.yaml");
  std::filesystem::create_symlink(folder_ / "gone", folder_ / "conf.d/20.yaml");
  EXPECT_THAT(std::string(Load(file).status().message()),
              AllOf(HasSubstr("conf.d/20.yaml"), HasSubstr("No such file")));
  std::filesystem::remove(folder_ / "conf.d/20.yaml");
  std::filesystem::create_directory(folder_ / "conf.d/20.yaml");
  EXPECT_THAT(std::string(Load(file).status().message()),
              AllOf(HasSubstr("conf.d/20.yaml"), HasSubstr("Is a directory")));
  std::filesystem::remove_all(folder_ / "conf.d");
  Write("", "conf.d");
  EXPECT_THAT(std::string(Load(file).status().message()),
              AllOf(HasSubstr("conf.d"), HasSubstr("Not a directory")));
}

TEST_F(FlagsTest, SpecFilesOfDropInsAreLookedForBesideTheConfigurationFile) {
  const std::string file = Write("version: 1\n");
  Write("models: [door.yaml]\n", "conf.d/10.yaml");
  Write(
      "name: door\nalgorithm: pocketnn\ninput: {shape: [4], type: uint8}\nclasses: 2\n"
      "layers: [{units: 2}]\nlearning_rate: [{from_step: 0, inverse: 100}]\nschedule_steps: 10\n",
      "door.yaml");
  const auto loaded = Load(file);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_EQ(loaded->config.models.size(), 1u);
  EXPECT_EQ(loaded->config.models[0].origin, (folder_ / "door.yaml").string());
}

TEST_F(FlagsTest, TheHelpNamesEveryFlagAndHasAnExample) {
  const std::string help = HelpText();
  for (const char* flag :
       {"--config", "--state-dir", "--listen", "--check-config", "--print-config", "--version",
        "--help", "Example:", "conf.d/*.yaml", "TALLY_LIMITS__ROWS"}) {
    EXPECT_THAT(help, HasSubstr(flag));
  }
}

}  // namespace
}  // namespace tally::config
