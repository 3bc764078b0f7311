// Goal: drop-ins and environment variables lie over the configuration file in the documented order,
// each value knows where it came from, and a mistake in any layer is named with its place.
// Method: sources made of texts through ParseConfig; for each rule one that obeys it and one that
// does not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/daemon/config/parse_sources.h"

namespace tally::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Spec(const std::string& name) {
  return "{name: " + name +
         ", algorithm: pocketnn, input: {shape: [28, 28], type: uint8}, classes: 10,"
         " layers: [{units: 20}, {units: 10}], learning_rate: [{from_step: 0, inverse: 1000}],"
         " schedule_steps: 100}";
}

ConfigSources Sources(const std::string& file, std::vector<ConfigFile> drop_ins,
                      std::vector<std::string> environment = {}) {
  ConfigSources sources;
  sources.file = {"etc/tallyd.yaml", file};
  sources.drop_ins = std::move(drop_ins);
  sources.environment = std::move(environment);
  sources.folder = "etc/";
  return sources;
}

absl::StatusOr<LoadedConfig> WithEnvironment(const std::vector<std::string>& environment,
                                             const std::string& file = "version: 1\n") {
  return ParseSources(Sources(file, {}, environment));
}

std::string ErrorOf(const absl::StatusOr<LoadedConfig>& loaded) {
  if (loaded.ok()) return "no error";
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(loaded.status().message());
}

std::string ErrorOf(const std::vector<std::string>& environment,
                    const std::string& file = "version: 1\n") {
  return ErrorOf(WithEnvironment(environment, file));
}

std::vector<std::string> NamesOf(const Config& config) {
  std::vector<std::string> names;
  for (const ConfiguredModel& model : config.models) names.push_back(model.spec.name);
  return names;
}

TEST(LayersTest, EachLayerOverridesSingleKeysOfThoseBeforeIt) {
  const auto loaded = ParseSources(Sources(
      "version: 1\nstate_dir: /file\nlimits: {rows: 1, streams: 1, models: 1, sources: 1}\n",
      {{"conf.d/10.yaml", "limits: {streams: 2, models: 2, sources: 2}\n"},
       {"conf.d/20.yaml", "version: 1\nlimits:\n  models: 3\n  sources: 3\n"}},
      {"TALLY_LIMITS__SOURCES=4"}));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.state_dir, "/file");
  EXPECT_EQ(loaded->config.limits.rows, 1u);
  EXPECT_EQ(loaded->config.limits.streams, 2u);
  EXPECT_EQ(loaded->config.limits.models, 3u);
  EXPECT_EQ(loaded->config.limits.sources, 4u);
  EXPECT_EQ(loaded->config.limits.connections, 128u);
  EXPECT_THAT(PrintConfig(*loaded), AllOf(HasSubstr("  rows: 1  # etc/tallyd.yaml:3\n"),
                                          HasSubstr("  streams: 2  # conf.d/10.yaml:1\n"),
                                          HasSubstr("  models: 3  # conf.d/20.yaml:3\n"),
                                          HasSubstr("  sources: 4  # TALLY_LIMITS__SOURCES\n"),
                                          HasSubstr("  connections: 128  # default\n")));
}

TEST(LayersTest, DropInsAndVariablesWorkWithoutAFile) {
  ConfigSources sources =
      Sources("", {{"conf.d/a.yaml", "durability: buffered\n"}}, {"TALLY_REFLECTION=false"});
  sources.file.reset();
  const auto loaded = ParseSources(sources);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.durability, Durability::kBuffered);
  EXPECT_FALSE(loaded->config.reflection);
}

TEST(LayersTest, AMistakeInADropInIsNamedWithItsFileAndLine) {
  const auto error = [](const std::string& yaml) {
    return ErrorOf(ParseSources(Sources("version: 1\n", {{"conf.d/50.yaml", yaml}})));
  };
  EXPECT_THAT(error("limits:\n  rwos: 1\n"),
              AllOf(HasSubstr("conf.d/50.yaml:2: limits.rwos: unknown key"), HasSubstr("rows")));
  EXPECT_THAT(error("\nlimits: {rows: 0}\n"), HasSubstr("conf.d/50.yaml:2: limits.rows: got 0"));
  EXPECT_THAT(error("version: 2\n"), HasSubstr("conf.d/50.yaml:1: version: got 2"));
  EXPECT_THAT(error("models: letters\n"), HasSubstr("conf.d/50.yaml:1: models: "));
  EXPECT_THAT(error("durability: {\n"), HasSubstr("conf.d/50.yaml:"));
}

TEST(LayersTest, AMistakeInTheFileIsFoundAlsoWhereADropInHasTheLastWord) {
  EXPECT_THAT(ErrorOf(ParseSources(Sources("version: 1\nlimits: {rows: 0}\n",
                                           {{"conf.d/50.yaml", "limits: {rows: 5}\n"}}))),
              HasSubstr("etc/tallyd.yaml:2: limits.rows: "));
  EXPECT_THAT(
      ErrorOf(ParseSources(Sources("limits: {rows: 5}\n", {{"conf.d/50.yaml", "version: 1\n"}}))),
      HasSubstr("version: missing"));
}

TEST(LayersTest, RulesAcrossKeysHoldForTheWholeAndBlameTheLayerThatBrokeThem) {
  const std::string file = "version: 1\nlisten: {tcp: \"0.0.0.0:50051\"}\n";
  EXPECT_THAT(ErrorOf(ParseSources(Sources(file, {}))),
              HasSubstr("etc/tallyd.yaml:2: listen.tcp: "));
  EXPECT_TRUE(ParseSources(Sources(file, {{"conf.d/a.yaml", "listen: {insecure: true}\n"}})).ok());
  EXPECT_THAT(ErrorOf({"TALLY_LISTEN__TCP=0.0.0.0:1"}),
              HasSubstr("TALLY_LISTEN__TCP: listen.tcp: \"0.0.0.0:1\""));
  EXPECT_THAT(ErrorOf({"TALLY_LISTEN__UNIX="}), HasSubstr("TALLY_LISTEN__UNIX: listen.unix: "));
}

TEST(LayersTest, ModelsOfAllFilesAreAddedUp) {
  const auto loaded = ParseSources(
      Sources("version: 1\nmodels: [" + Spec("first") + "]\n",
              {{"etc/conf.d/10.yaml", "models:\n  - " + Spec("second") + "\n  - third.yaml\n"},
               {"etc/conf.d/20.yaml", "log: {level: debug}\n"},
               {"etc/conf.d/30.yaml", "models: [" + Spec("fourth") + "]\n"}}),
      {{"etc/third.yaml", Spec("third")}});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(NamesOf(loaded->config), ElementsAre("first", "second", "third", "fourth"));
  EXPECT_EQ(loaded->config.models[1].origin, "etc/conf.d/10.yaml:2");
  EXPECT_EQ(loaded->config.models[2].origin, "etc/third.yaml");
  EXPECT_EQ(loaded->config.models[3].origin, "etc/conf.d/30.yaml:1");
}

TEST(LayersTest, TwoModelsOfOneNameAreNamedWithBothPlaces) {
  EXPECT_THAT(
      ErrorOf(ParseSources(Sources("version: 1\nmodels: [" + Spec("door") + "]\n",
                                   {{"conf.d/10.yaml", "\nmodels: [" + Spec("door") + "]"}}))),
      AllOf(HasSubstr("conf.d/10.yaml:2: models[1].name: \"door\" is used twice"),
            HasSubstr("etc/tallyd.yaml:2")));
}

TEST(LayersTest, VariablesOfEveryTypeAreRead) {
  const auto loaded = WithEnvironment(
      {"TALLY_STATE_DIR=/srv/a b", "TALLY_LISTEN__UNIX_MODE=0600", "TALLY_LISTEN__TCP=[::1]:50051",
       "TALLY_REFLECTION=false", "TALLY_LOG__LEVEL=debug", "TALLY_COMMIT_INTERVAL=50 ms",
       "TALLY_LIMITS__WINDOW=64KiB", "TALLY_LIMITS__MESSAGE=1048576", "TALLY_DRAIN__DELAY=0",
       "TALLY_CHECKPOINT__KEEP=7"});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const Config& config = loaded->config;
  EXPECT_EQ(config.state_dir, "/srv/a b");
  EXPECT_EQ(UnixMode(config.listen), 0600u);
  EXPECT_EQ(config.listen.tcp, "[::1]:50051");
  EXPECT_FALSE(config.reflection);
  EXPECT_EQ(config.log_level, LogLevel::kDebug);
  EXPECT_EQ(config.commit_interval_ms, 50u);
  EXPECT_EQ(config.limits.window_bytes, 64u << 10);
  EXPECT_EQ(config.limits.message_bytes, 1u << 20);
  EXPECT_EQ(config.drain.delay_ms, 0u);
  EXPECT_EQ(config.checkpoint.keep, 7u);
}

TEST(LayersTest, EveryKeyHasAVariableThatReadsWhatIsPrinted) {
  const auto defaults = WithEnvironment({});
  ASSERT_TRUE(defaults.ok());
  std::vector<std::string> environment;
  std::string section;
  std::istringstream lines(PrintConfig(*defaults));
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    std::string key = line.substr(0, colon);
    if (key == "version" || key == "models") continue;
    if (colon + 1 == line.size()) {
      section = key + "__";
      continue;
    }
    key = key.starts_with("  ") ? section + key.substr(2) : key;
    std::string value = line.substr(colon + 2, line.find("  # ") - colon - 2);
    if (value.front() == '"') value = value.substr(1, value.size() - 2);
    std::transform(key.begin(), key.end(), key.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    environment.push_back("TALLY_" + key + "=" + value);
  }
  EXPECT_EQ(environment.size(), ConfigPaths().size());
  const auto loaded = WithEnvironment(environment);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->origins.size(), environment.size());
  for (const auto& [path, origin] : loaded->origins) EXPECT_THAT(origin, HasSubstr("TALLY_"));
  EXPECT_TRUE(CompareConfigs(defaults->config, loaded->config).need_restart.empty());
}

TEST(LayersTest, BadValuesOfVariablesAreNamedWithVariableKeyValueAndWhatWasExpected) {
  EXPECT_THAT(ErrorOf({"TALLY_LIMITS__ROWS=0"}),
              HasSubstr("TALLY_LIMITS__ROWS: limits.rows: got \"0\", expected an integer from 1"));
  EXPECT_THAT(ErrorOf({"TALLY_LIMITS__ROWS=1.5"}), HasSubstr("got \"1.5\", expected an integer"));
  EXPECT_THAT(ErrorOf({"TALLY_LIMITS__ROWS="}), HasSubstr("got \"\", expected an integer"));
  EXPECT_THAT(ErrorOf({"TALLY_REFLECTION=yes"}),
              HasSubstr("TALLY_REFLECTION: reflection: got \"yes\", write true or false"));
  EXPECT_THAT(ErrorOf({"TALLY_LOG__LEVEL=loud"}), HasSubstr("log.level: got \"loud\""));
  EXPECT_THAT(ErrorOf({"TALLY_COMMIT_INTERVAL=50"}), HasSubstr("commit_interval: got \"50\""));
  EXPECT_THAT(ErrorOf({"TALLY_STATE_DIR=\xff"}), HasSubstr("TALLY_STATE_DIR: its value is not"));
}

TEST(LayersTest, UnknownVariablesAreNamedWithTheNearestValidOne) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"TALLY_LIMITS__ROW", "TALLY_LIMITS__ROWS"},
      {"TALLY_LIMTS__ROWS", "TALLY_LIMITS__ROWS"},
      {"TALLY_LIMITS__ROWS__MAX", "TALLY_LIMITS__ROWS"},
      {"TALLY_LIMITS_ROWS", "TALLY_LIMITS__ROWS"},
      {"TALLY_LOG_LEVEL", "TALLY_LOG__LEVEL"},
      {"TALLY_STATEDIR", "TALLY_STATE_DIR"},
      {"TALLY_DURABILTY", "TALLY_DURABILITY"},
      {"TALLY_limits__rows", "TALLY_LIMITS__ROWS"},
      {"TALLY_MODEL__0__NAME", "TALLY_MODELS__0__NAME"},
  };
  for (const auto& [wrong, right] : cases) {
    EXPECT_EQ(ErrorOf({wrong + "=1"}), wrong + ": unknown variable; did you mean " + right + "?");
  }
  EXPECT_THAT(ErrorOf({"TALLY_SOMETHING__VERY__DIFFERENT=1"}),
              AllOf(HasSubstr("TALLY_SOMETHING__VERY__DIFFERENT: unknown variable"),
                    HasSubstr("as in TALLY_LIMITS__ROWS")));
}

TEST(LayersTest, AVariableForASectionOrForAllModelsIsToldWhatToSetInstead) {
  EXPECT_THAT(ErrorOf({"TALLY_LIMITS={rows: 1}"}),
              AllOf(HasSubstr("TALLY_LIMITS: "), HasSubstr("TALLY_LIMITS__MESSAGE")));
  EXPECT_THAT(ErrorOf({"TALLY_MODELS=[]"}),
              AllOf(HasSubstr("TALLY_MODELS: "), HasSubstr("TALLY_MODELS__0__")));
}

TEST(LayersTest, VariablesOfOthersAreLeftAlone) {
  // Those of the `tally` command, of tests and scripts, and of container platforms.
  const auto loaded = WithEnvironment(
      {"TALLY_SERVER=unix:/x", "TALLY_DATA_DIR=/data", "TALLY_LONG=1", "TALLY_MUTATIONS=5",
       "TALLY_VERSION=0.1.0", "TALLY_SOURCE_DIR=/src", "TALLY_PATH=/bin/tally",
       "TALLY_STORAGE_FIXTURES=/f", "TALLY_PORT=tcp://10.0.0.1:50051",
       "TALLY_SERVICE_HOST=10.0.0.1", "TALLY_PORT_50051_TCP_ADDR=10.0.0.1", "TALLY=1", "TALLY_",
       "TALLY_LIMITS__ROWS", "OTHER_LIMITS__ROWS=7", "PATH=/bin"});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(loaded->origins.empty());
}

TEST(LayersTest, OfAVariableGivenTwiceTheFirstCounts) {
  const auto loaded = WithEnvironment({"TALLY_LIMITS__ROWS=7", "TALLY_LIMITS__ROWS=8"});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.limits.rows, 7u);
}

TEST(LayersTest, VariablesChangeSingleValuesOfModels) {
  const auto loaded = ParseSources(
      Sources("version: 1\nmodels: [" + Spec("door") + ", letters.yaml]\n", {},
              {"TALLY_MODELS__1__NAME=images", "TALLY_MODELS__0__BATCH_SIZE=32",
               "TALLY_MODELS__0__LAYERS__0__UNITS=40", "TALLY_MODELS__0__INPUT__SHAPE=[4, 7]",
               "TALLY_MODELS__1__LEARNING_RATE__1={from_step: 10, inverse: 2000}"}),
      {{"etc/letters.yaml", Spec("letters")}});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(NamesOf(loaded->config), ElementsAre("door", "images"));
  const ModelSpec& door = loaded->config.models[0].spec;
  EXPECT_EQ(door.batch_size, 32u);
  EXPECT_EQ(door.layers[0].units, 40u);
  EXPECT_EQ(door.layers[1].units, 10u);
  EXPECT_THAT(door.input.shape, ElementsAre(4u, 7u));
  EXPECT_EQ(loaded->config.models[1].spec.learning_rate.size(), 2u);
  EXPECT_EQ(loaded->config.models[0].origin,
            "etc/tallyd.yaml:2, TALLY_MODELS__0__BATCH_SIZE, TALLY_MODELS__0__INPUT__SHAPE, "
            "TALLY_MODELS__0__LAYERS__0__UNITS");
  EXPECT_EQ(loaded->config.models[1].origin,
            "etc/letters.yaml, TALLY_MODELS__1__LEARNING_RATE__1, TALLY_MODELS__1__NAME");
}

TEST(LayersTest, VariablesAddAModelAtTheFirstFreeIndex) {
  std::vector<std::string> environment = {"TALLY_MODELS__1__NAME=second",
                                          "TALLY_MODELS__1=spec.yaml",
                                          "TALLY_MODELS__0=" + Spec("first"),
                                          "TALLY_MODELS__2__NAME=third",
                                          "TALLY_MODELS__2__ALGORITHM=pocketnn",
                                          "TALLY_MODELS__2__INPUT__SHAPE=[4]",
                                          "TALLY_MODELS__2__INPUT__TYPE=uint8",
                                          "TALLY_MODELS__2__CLASSES=2",
                                          "TALLY_MODELS__2__LAYERS__0__UNITS=2",
                                          "TALLY_MODELS__2__LEARNING_RATE__0__FROM_STEP=0",
                                          "TALLY_MODELS__2__LEARNING_RATE__0__INVERSE=100",
                                          "TALLY_MODELS__2__SCHEDULE_STEPS=10"};
  for (int i = 3; i < 12; ++i) {  // ten comes after nine, not after one
    environment.push_back("TALLY_MODELS__" + std::to_string(i) + "=" +
                          Spec("more" + std::to_string(i)));
  }
  const auto loaded =
      ParseSources(Sources("version: 1\n", {}, environment), {{"etc/spec.yaml", Spec("any")}});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_EQ(loaded->config.models.size(), 12u);
  EXPECT_EQ(loaded->config.models[0].spec.name, "first");
  EXPECT_EQ(loaded->config.models[1].spec.name, "second");
  EXPECT_EQ(loaded->config.models[1].origin, "etc/spec.yaml, TALLY_MODELS__1__NAME");
  EXPECT_EQ(loaded->config.models[2].spec.name, "third");
  EXPECT_EQ(loaded->config.models[11].spec.name, "more11");
}

TEST(LayersTest, MistakesInVariablesOfModelsAreNamed) {
  const std::string file = "version: 1\nmodels: [" + Spec("door") + "]\n";
  EXPECT_THAT(ErrorOf({"TALLY_MODELS__0__BATCHSIZE=1"}, file),
              AllOf(HasSubstr("TALLY_MODELS__0__BATCHSIZE: models[0].batchsize: unknown key"),
                    HasSubstr("batch_size")));
  EXPECT_THAT(ErrorOf({"TALLY_MODELS__0__BATCH_SIZE=many"}, file),
              HasSubstr("TALLY_MODELS__0__BATCH_SIZE: models[0].batch_size: got \"many\""));
  EXPECT_THAT(ErrorOf({"TALLY_MODELS__2__NAME=x"}, file),
              AllOf(HasSubstr("TALLY_MODELS__2__NAME: models has 1 items"),
                    HasSubstr("got \"2\", expected an index from 0 to 1")));
  EXPECT_THAT(ErrorOf({"TALLY_MODELS__DOOR__NAME=x"}, file), HasSubstr("got \"door\""));
  EXPECT_THAT(ErrorOf({"TALLY_MODELS__00__NAME=x"}, file), HasSubstr("got \"00\""));
  EXPECT_THAT(ErrorOf({"TALLY_MODELS__0__LAYERS__5__UNITS=1"}, file),
              HasSubstr("TALLY_MODELS__0__LAYERS__5__UNITS: models[0].layers has 2 items"));
  EXPECT_THAT(ErrorOf({"TALLY_MODELS__0__NAME__FIRST=x"}, file),
              HasSubstr("TALLY_MODELS__0__NAME__FIRST: models[0].name is a single value"));
  EXPECT_THAT(ErrorOf({"TALLY_MODELS__0__INPUT={shape: [1}"}, file),
              HasSubstr("TALLY_MODELS__0__INPUT:"));
  EXPECT_THAT(ErrorOf({"TALLY_MODELS__1=nowhere.yaml"}, file),
              HasSubstr("TALLY_MODELS__1: models[1]: cannot read etc/nowhere.yaml"));
  EXPECT_THAT(ErrorOf({"TALLY_MODELS__1=" + Spec("door")}, file),
              AllOf(HasSubstr("TALLY_MODELS__1"), HasSubstr("\"door\" is used twice"),
                    HasSubstr("etc/tallyd.yaml:2")));
  std::string deep = "TALLY_MODELS__0";
  for (int i = 0; i < 1000; ++i) deep += "__X";
  EXPECT_THAT(ErrorOf({deep + "=1"}, file), HasSubstr("nested too deeply"));
}

TEST(LayersTest, WhatAllLayersTogetherSayIsPrintedAndLoadsAgain) {
  const auto loaded = ParseSources(
      Sources("version: 1\nmodels: [" + Spec("door") + "]\n",
              {{"conf.d/10.yaml", "models: [" + Spec("window") + "]\nlimits: {rows: 9}\n"}},
              {"TALLY_MODELS__1__BATCH_SIZE=5", "TALLY_STATE_DIR=/x # y: \"z\"\n"}));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const std::string printed = PrintConfig(*loaded);
  EXPECT_THAT(printed, HasSubstr("  # conf.d/10.yaml:1, TALLY_MODELS__1__BATCH_SIZE\n"));
  const auto again = ParseSources(Sources(printed, {}));
  ASSERT_TRUE(again.ok()) << again.status() << "\n" << printed;
  const ConfigChanges changes = CompareConfigs(loaded->config, again->config);
  EXPECT_THAT(changes.live, ElementsAre());
  EXPECT_THAT(changes.need_restart, ElementsAre());
}

}  // namespace
}  // namespace tally::config
