// Goal: a configuration is read strictly, every mistake is named with file, line, path and remedy,
// and what was read can be printed and read again.
// Method: whole texts through ParseConfig; each kind of mistake with the exact parts of its
// message.

#include "daemon/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/daemon/config/parse_sources.h"

namespace tally::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kSpec[] =
    "{name: digits, algorithm: pocketnn, input: {shape: [28, 28], type: uint8}, classes: 10,"
    " layers: [{units: 10}], learning_rate: [{from_step: 0, inverse: 1000}], schedule_steps: 100}";

absl::StatusOr<LoadedConfig> Parse(const std::string& yaml,
                                   const std::map<std::string, std::string>& files = {}) {
  ConfigSources sources;
  sources.file = {"tallyd.yaml", yaml};
  return ParseSources(sources, files);
}

std::string ErrorOf(const std::string& yaml) {
  const auto loaded = Parse(yaml);
  if (loaded.ok()) return "no error";
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(loaded.status().message());
}

TEST(ConfigTest, TheVersionAloneGivesTheDefaults) {
  const auto loaded = Parse("version: 1\n");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const Config& config = loaded->config;
  EXPECT_EQ(config.state_dir, "/var/lib/tally");
  EXPECT_EQ(config.listen.unix_path, "/run/tally/tallyd.sock");
  EXPECT_EQ(UnixMode(config.listen), 0660u);
  EXPECT_EQ(config.listen.tcp, "");
  EXPECT_TRUE(config.reflection);
  EXPECT_EQ(config.durability, Durability::kDurable);
  EXPECT_EQ(config.limits.message_bytes, 4u << 20);
  EXPECT_EQ(config.limits.rows, 4096u);
  EXPECT_EQ(config.limits.window_bytes, 1u << 20);
  EXPECT_EQ(config.limits.streams, 64u);
  EXPECT_EQ(config.limits.connections, 128u);
  EXPECT_EQ(config.limits.models, 16u);
  EXPECT_EQ(config.limits.sources, 1024u);
  EXPECT_EQ(config.limits.parameters, 64u << 20);
  EXPECT_EQ(config.limits.journal_bytes, 1u << 30);
  EXPECT_EQ(config.training.digest_interval_steps, 1000u);
  EXPECT_EQ(config.training.threads, 1u);
}

TEST(ConfigTest, EveryKeyIsReadWithItsUnit) {
  const auto loaded = Parse(R"(version: 1
state_dir: /srv/tally
listen: {unix: /tmp/t.sock, unix_mode: "0600", tcp: "127.0.0.1:50051", insecure: false}
reflection: false
log: {level: debug}
durability: buffered
commit_interval: 50 ms
limits: {message: 1 MiB, rows: 100, window: 64 KiB, streams: 2, connections: 3, models: 4,
         sources: 5, parameters: 1000000, journal: 64 MiB, memory: 1 GiB}
training: {digest_interval_steps: 10, publish_interval_steps: 20, publish_interval: 30 ms,
           queue: 16 MiB, threads: 4}
checkpoint: {replay: 2 s, interval: 1 min, keep: 7, retain: all}
drain: {delay: 0, timeout: 5s}
)");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const Config& config = loaded->config;
  EXPECT_EQ(config.state_dir, "/srv/tally");
  EXPECT_EQ(UnixMode(config.listen), 0600u);
  EXPECT_EQ(config.listen.tcp, "127.0.0.1:50051");
  EXPECT_FALSE(config.reflection);
  EXPECT_EQ(config.log_level, LogLevel::kDebug);
  EXPECT_EQ(config.durability, Durability::kBuffered);
  EXPECT_EQ(config.commit_interval_ms, 50u);
  EXPECT_EQ(config.limits.message_bytes, 1u << 20);
  EXPECT_EQ(config.limits.window_bytes, 64u << 10);
  EXPECT_EQ(config.limits.journal_bytes, 64u << 20);
  EXPECT_EQ(config.limits.memory_bytes, 1u << 30);
  EXPECT_EQ(config.training.publish_interval_ms, 30u);
  EXPECT_EQ(config.training.queue_bytes, 16u << 20);
  EXPECT_EQ(config.training.threads, 4u);
  EXPECT_EQ(config.checkpoint.replay_ms, 2000u);
  EXPECT_EQ(config.checkpoint.interval_ms, 60000u);
  EXPECT_EQ(config.checkpoint.keep, 7u);
  EXPECT_EQ(config.checkpoint.retain, Retain::kAll);
  EXPECT_EQ(config.drain.delay_ms, 0u);
  EXPECT_EQ(config.drain.timeout_ms, 5000u);
}

TEST(ConfigTest, AnUnknownKeyIsNamedWithItsPlaceAndTheNearestKey) {
  EXPECT_THAT(ErrorOf("version: 1\nstate_dirs: /x\n"),
              AllOf(HasSubstr("tallyd.yaml:2: state_dirs: "), HasSubstr("unknown key"),
                    HasSubstr("state_dir")));
  EXPECT_THAT(ErrorOf("version: 1\nlimits:\n  rows: 10\n  windo: 64 KiB\n"),
              AllOf(HasSubstr("tallyd.yaml:4: limits.windo: "), HasSubstr("unknown key"),
                    HasSubstr("window")));
  EXPECT_THAT(ErrorOf("version: 1\nmodel: []\n"),
              AllOf(HasSubstr("tallyd.yaml:2: model: "), HasSubstr("models")));
}

TEST(ConfigTest, AMissingOrForeignVersionIsRefused) {
  EXPECT_THAT(ErrorOf("state_dir: /x\n"), HasSubstr("version"));
  EXPECT_THAT(ErrorOf("version: 2\n"),
              AllOf(HasSubstr("tallyd.yaml:1: version: "), HasSubstr("2")));
}

TEST(ConfigTest, ValuesOutOfRangeAreNamedWithTheRange) {
  EXPECT_THAT(ErrorOf("version: 1\nlimits: {rows: 0}\n"),
              AllOf(HasSubstr("tallyd.yaml:2: limits.rows: "), HasSubstr("0"), HasSubstr("65536")));
  EXPECT_THAT(ErrorOf("version: 1\nlimits: {message: 8 MiB}\n"), HasSubstr("limits.message: "));
  EXPECT_THAT(ErrorOf("version: 1\ncheckpoint: {keep: 1001}\n"), HasSubstr("checkpoint.keep: "));
  EXPECT_THAT(ErrorOf("version: 1\ntraining: {threads: 0}\n"),
              AllOf(HasSubstr("training.threads: "), HasSubstr("64")));
  EXPECT_THAT(ErrorOf("version: 1\ntraining: {threads: 65}\n"), HasSubstr("training.threads: "));
  EXPECT_THAT(ErrorOf("version: 1\ndrain: {timeout: 10 ms}\n"), HasSubstr("drain.timeout: "));
}

TEST(ConfigTest, WrongTypesAreNamed) {
  EXPECT_THAT(ErrorOf("version: 1\nreflection: 1\n"), HasSubstr("tallyd.yaml:2: reflection: "));
  EXPECT_THAT(ErrorOf("version: 1\nlimits: 5\n"), HasSubstr("tallyd.yaml:2: limits: "));
  EXPECT_THAT(ErrorOf("version: 1\nlimits: {rows: ten}\n"), HasSubstr("limits.rows: "));
  EXPECT_THAT(ErrorOf("version: 1\nmodels: {}\n"), HasSubstr("tallyd.yaml:2: models: "));
  EXPECT_THAT(ErrorOf("version: 1\nstate_dir: [a]\n"), HasSubstr("state_dir: "));
  EXPECT_THAT(ErrorOf("- 1\n"), HasSubstr("tallyd.yaml"));
}

TEST(ConfigTest, AWrongChoiceListsTheRightOnes) {
  EXPECT_THAT(
      ErrorOf("version: 1\nlog: {level: loud}\n"),
      AllOf(HasSubstr("tallyd.yaml:2: log.level: "), HasSubstr("loud"), HasSubstr("warning")));
  EXPECT_THAT(ErrorOf("version: 1\ndurability: maybe\n"),
              AllOf(HasSubstr("durability: "), HasSubstr("buffered")));
}

TEST(ConfigTest, FloatsOctalsAndDuplicateKeysAreRefused) {
  EXPECT_THAT(ErrorOf("version: 1\nlimits: {rows: 1.5}\n"), HasSubstr("tallyd.yaml:2"));
  EXPECT_THAT(ErrorOf("version: 1\nlisten: {unix_mode: 0660}\n"), HasSubstr("tallyd.yaml:2"));
  EXPECT_THAT(ErrorOf("version: 1\nstate_dir: /a\nstate_dir: /b\n"),
              AllOf(HasSubstr("tallyd.yaml:3"), HasSubstr("state_dir")));
  EXPECT_THAT(ErrorOf("version: 1\nlimits: {rows: 1\n"), HasSubstr("tallyd.yaml"));
}

TEST(ConfigTest, ASizeOrDurationWithoutAKnownUnitIsRefused) {
  EXPECT_THAT(ErrorOf("version: 1\nlimits: {window: 64 potatoes}\n"),
              AllOf(HasSubstr("limits.window: "), HasSubstr("64 potatoes")));
  EXPECT_THAT(ErrorOf("version: 1\ncommit_interval: 50\n"), HasSubstr("commit_interval: "));
}

TEST(ConfigTest, TcpBeyondLoopbackNeedsInsecure) {
  EXPECT_THAT(ErrorOf("version: 1\nlisten:\n  tcp: \"0.0.0.0:50051\"\n"),
              AllOf(HasSubstr("tallyd.yaml:3: listen.tcp: "), HasSubstr("0.0.0.0:50051"),
                    HasSubstr("insecure: true")));
  EXPECT_TRUE(Parse("version: 1\nlisten: {tcp: \"0.0.0.0:1\", insecure: true}\n").ok());
  EXPECT_TRUE(Parse("version: 1\nlisten: {tcp: \"[::1]:1\"}\n").ok());
  EXPECT_TRUE(Parse("version: 1\nlisten: {tcp: \"localhost:1\"}\n").ok());
}

TEST(ConfigTest, MalformedAddressesAndModesAreRefused) {
  for (const char* address :
       {"127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "example.org:1", "::1:5", "[127.0.0.1]:5"}) {
    EXPECT_THAT(ErrorOf(std::string("version: 1\nlisten: {tcp: \"") + address + "\"}\n"),
                AllOf(HasSubstr("listen.tcp: "), HasSubstr(address)));
  }
  for (const char* mode : {"660", "0999", "rw", "00660"}) {
    EXPECT_THAT(ErrorOf(std::string("version: 1\nlisten: {unix_mode: \"") + mode + "\"}\n"),
                AllOf(HasSubstr("listen.unix_mode: "), HasSubstr(mode), HasSubstr("0660")));
  }
  EXPECT_THAT(ErrorOf("version: 1\nlisten: {unix: \"\"}\n"), HasSubstr("listen.unix: "));
  EXPECT_THAT(ErrorOf("version: 1\nstate_dir: \"\"\n"), HasSubstr("state_dir: "));
}

TEST(ConfigTest, ModelsAreReadInPlaceOrFromTheirOwnFiles) {
  const auto loaded = Parse(
      std::string("version: 1\nmodels:\n  - ") + kSpec + "\n  - letters.yaml\n  - /abs/c.yaml\n",
      {{"letters.yaml", std::string(kSpec).replace(7, 6, "letter")},
       {"/abs/c.yaml", std::string(kSpec).replace(7, 6, "images")}});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_EQ(loaded->config.models.size(), 3u);
  EXPECT_EQ(loaded->config.models[0].spec.name, "digits");
  EXPECT_EQ(loaded->config.models[0].origin, "tallyd.yaml:3");
  EXPECT_EQ(loaded->config.models[1].spec.name, "letter");
  EXPECT_EQ(loaded->config.models[1].origin, "letters.yaml");
  EXPECT_EQ(loaded->config.models[2].spec.name, "images");
  EXPECT_EQ(loaded->config.models[2].origin, "/abs/c.yaml");
}

TEST(ConfigTest, AMistakeInsideAModelIsNamedWithItsPath) {
  std::string spec = kSpec;
  spec.replace(spec.find("classes"), 7, "clases");
  EXPECT_THAT(ErrorOf("version: 1\nmodels:\n  - " + spec + "\n"),
              AllOf(HasSubstr("tallyd.yaml:3: models[0].clas"), HasSubstr("classes")));
  spec = kSpec;
  spec.replace(spec.find("units: 10"), 9, "units: 0");
  EXPECT_THAT(ErrorOf("version: 1\nmodels:\n  - " + spec + "\n"),
              HasSubstr("models[0].layers[0].units: "));
  spec = kSpec;
  spec.replace(0, 14, "{");
  EXPECT_THAT(ErrorOf("version: 1\nmodels:\n  - " + spec + "\n"), HasSubstr("models[0].name: "));
  EXPECT_THAT(ErrorOf(std::string("version: 1\nmodels:\n  - ") + kSpec + "\n  - " + kSpec + "\n"),
              AllOf(HasSubstr("models[1].name: "), HasSubstr("\"digits\""), HasSubstr("twice")));
  EXPECT_THAT(
      ErrorOf("version: 1\nmodels: [nowhere.yaml]\n"),
      AllOf(HasSubstr("tallyd.yaml:2: models[0]: "), HasSubstr("cannot read nowhere.yaml")));
}

TEST(ConfigTest, PrintingShowsTheOriginOfEveryValueAndLoadsAgain) {
  const auto loaded =
      Parse(std::string("version: 1\nlimits:\n  rows: 7\nmodels: [") + kSpec + "]\n");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const std::string printed = PrintConfig(*loaded);
  EXPECT_THAT(printed, HasSubstr("  rows: 7  # tallyd.yaml:3\n"));
  EXPECT_THAT(printed, HasSubstr("  window: 1 MiB  # default\n"));
  EXPECT_THAT(printed, HasSubstr("state_dir: \"/var/lib/tally\"  # default\n"));
  EXPECT_THAT(printed, HasSubstr("# tallyd.yaml:4\n"));

  const auto again = Parse(printed);
  ASSERT_TRUE(again.ok()) << again.status() << "\n" << printed;
  const ConfigChanges changes = CompareConfigs(loaded->config, again->config);
  EXPECT_THAT(changes.live, IsEmpty());
  EXPECT_THAT(changes.need_restart, IsEmpty());
}

TEST(ConfigTest, ChangesAreSortedIntoLiveOnesAndThoseThatNeedARestart) {
  const auto before = Parse("version: 1\n");
  const auto after =
      Parse(std::string("version: 1\nlimits: {rows: 5, journal: 32 MiB}\nlog: {level: debug}\n"
                        "state_dir: /else\nmodels: [") +
            kSpec + "]\n");
  ASSERT_TRUE(before.ok());
  ASSERT_TRUE(after.ok()) << after.status();
  const ConfigChanges changes = CompareConfigs(before->config, after->config);
  EXPECT_THAT(changes.live, ElementsAre("log.level", "limits.rows"));
  EXPECT_THAT(changes.need_restart, ElementsAre("state_dir", "limits.journal", "models"));
}

}  // namespace
}  // namespace tally::config
