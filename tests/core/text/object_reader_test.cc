// Goal: pin the ranges, defaults and messages of ObjectReader, and the field each error carries.
// Method: small documents read field by field; messages are compared whole, since people read them.

#include "core/text/object_reader.h"

#include <gtest/gtest.h>

#include "core/text/status_macros.h"
#include "core/text/value.h"

namespace tally::text {
namespace {

// Reads `yaml` with `read`, then Finish().
absl::Status Read(std::string_view yaml, const std::function<void(ObjectReader&)>& read) {
  const auto value = ParseYaml(yaml, "t.yaml");
  EXPECT_TRUE(value.ok()) << value.status();
  if (!value.ok()) return value.status();
  ObjectReader reader(*value, "");
  read(reader);
  return reader.Finish();
}

std::string Field(const absl::Status& status) {
  const auto payload = status.GetPayload(kFieldPayloadUrl);
  return payload ? std::string(*payload) : "none";
}

enum class Colour { kRed, kGreen };

TEST(ObjectReaderTest, ReadsEveryKindOfField) {
  bool flag = false;
  uint32_t small = 0;
  uint64_t big = 0;
  int64_t negative = 0;
  std::string text;
  Colour colour = Colour::kRed;
  std::vector<uint32_t> shape;
  std::vector<int32_t> mean;
  std::vector<std::string> labels;
  const auto status = Read(
      "flag: true\nsmall: 7\nbig: '18446744073709551615'\nnegative: '-5'\ntext: abc\n"
      "colour: green\nshape: [28, 28]\nmean: [-1, 2]\nlabels: [a, '7']\n",
      [&](ObjectReader& r) {
        r.Bool("flag", flag);
        r.Unsigned("small", 0u, 10u, small);
        r.Unsigned("big", uint64_t{0}, UINT64_MAX, big);
        r.Signed("negative", INT64_MIN, INT64_MAX, negative);
        r.String("text", text);
        r.Enum("colour", {"red", "green"}, colour);
        r.UnsignedList("shape", 4, 1, 100, shape);
        r.SignedList("mean", 4, -10, 10, mean);
        r.StringList("labels", 4, labels);
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(flag);
  EXPECT_EQ(small, 7u);
  EXPECT_EQ(big, UINT64_MAX);
  EXPECT_EQ(negative, -5);
  EXPECT_EQ(text, "abc");
  EXPECT_EQ(colour, Colour::kGreen);
  EXPECT_EQ(shape, (std::vector<uint32_t>{28, 28}));
  EXPECT_EQ(mean, (std::vector<int32_t>{-1, 2}));
  EXPECT_EQ(labels, (std::vector<std::string>{"a", "7"}));
}

TEST(ObjectReaderTest, MissingKeysLeaveTheirDefaults) {
  uint32_t small = 42;
  std::string text = "default";
  EXPECT_TRUE(Read("", [&](ObjectReader& r) {
                r.Unsigned("small", 0u, 10u, small);
                r.String("text", text);
                EXPECT_FALSE(r.Has("small"));
              }).ok());
  EXPECT_EQ(small, 42u);
  EXPECT_EQ(text, "default");
}

TEST(ObjectReaderTest, NamesTheNearestValidKey) {
  uint32_t rate = 0;
  const auto status = Read("a: 1\nlerning_rate: 5\n", [&](ObjectReader& r) {
    r.Unsigned("a", 0u, 9u, rate);
    r.Unsigned("learning_rate", 0u, 9u, rate);
  });
  EXPECT_EQ(status.message(), "t.yaml:2: lerning_rate: unknown key; did you mean learning_rate?");
  EXPECT_EQ(Field(status), "lerning_rate");
}

TEST(ObjectReaderTest, ListsTheValidKeysWhenNoneIsNear) {
  uint32_t rate = 0;
  const auto status = Read("xyzzy: 5\n", [&](ObjectReader& r) {
    r.Unsigned("a", 0u, 9u, rate);
    r.Unsigned("learning_rate", 0u, 9u, rate);
  });
  EXPECT_EQ(status.message(), "t.yaml:1: xyzzy: unknown key; valid keys: a, learning_rate");
}

TEST(ObjectReaderTest, IntegerErrorsGiveValueAndRange) {
  const auto read = [](const char* yaml) {
    return Read(yaml, [](ObjectReader& r) {
      uint32_t n = 5;
      r.Unsigned("n", 1u, 9u, n);
      EXPECT_EQ(n, 5u);
    });
  };
  EXPECT_EQ(read("n: 0").message(), "t.yaml:1: n: got 0, expected an integer from 1 to 9");
  EXPECT_EQ(read("n: 10").message(), "t.yaml:1: n: got 10, expected an integer from 1 to 9");
  EXPECT_EQ(read("n: -3").message(), "t.yaml:1: n: got -3, expected an integer from 1 to 9");
  EXPECT_EQ(read("n: many").message(),
            "t.yaml:1: n: got \"many\", expected an integer from 1 to 9");
  EXPECT_EQ(read("n: '05'").message(), "t.yaml:1: n: got \"05\", expected an integer from 1 to 9");
  EXPECT_EQ(read("n: [1]").message(), "t.yaml:1: n: got a list, expected an integer from 1 to 9");
  EXPECT_EQ(read("n: true").message(), "t.yaml:1: n: got true, expected an integer from 1 to 9");
  EXPECT_EQ(Field(read("n: 0")), "n");
}

TEST(ObjectReaderTest, SignedIntegersKeepTheirEnds) {
  int64_t n = 1;
  const auto read = [&](const char* yaml) {
    return Read(yaml, [&](ObjectReader& r) { r.Signed("n", INT64_MIN, INT64_MAX, n); });
  };
  EXPECT_TRUE(read("n: -9223372036854775808").ok());
  EXPECT_EQ(n, INT64_MIN);
  EXPECT_TRUE(read("n: 9223372036854775807").ok());
  EXPECT_EQ(n, INT64_MAX);
  EXPECT_FALSE(read("n: 9223372036854775808").ok());
  EXPECT_FALSE(read("n: '-9223372036854775809'").ok());
}

TEST(ObjectReaderTest, BooleansHintAtTrueAndFalse) {
  bool flag = false;
  const auto status = Read("flag: yes\n", [&](ObjectReader& r) { r.Bool("flag", flag); });
  EXPECT_EQ(status.message(), "t.yaml:1: flag: got \"yes\", write true or false");
}

TEST(ObjectReaderTest, EnumsListTheirNames) {
  Colour colour = Colour::kGreen;
  const auto read = [&](const char* yaml) {
    return Read(yaml, [&](ObjectReader& r) { r.Enum("colour", {"red", "green"}, colour); });
  };
  EXPECT_EQ(read("colour: blue").message(),
            "t.yaml:1: colour: got \"blue\", expected one of red, green");
  EXPECT_EQ(read("colour: 1").message(), "t.yaml:1: colour: got 1, expected one of red, green");
  EXPECT_EQ(colour, Colour::kGreen);
}

TEST(ObjectReaderTest, SizesTakeBytesOrBinaryUnits) {
  uint64_t bytes = 0;
  const auto read = [&](std::string_view value) {
    return Read("size: " + std::string(value),
                [&](ObjectReader& r) { r.SizeBytes("size", 1, uint64_t{1} << 50, bytes); });
  };
  const std::pair<const char*, uint64_t> cases[] = {
      {"4096", 4096},           {"'4096'", 4096},      {"64 KiB", 65536}, {"4MiB", 4194304},
      {"1 GiB", 1073741824ull}, {"2 TiB", 2ull << 40}, {"7 B", 7}};
  for (const auto& [text, expected] : cases) {
    EXPECT_TRUE(read(text).ok()) << text;
    EXPECT_EQ(bytes, expected);
  }
  for (const char* bad : {"0", "64 KB", "64 kib", "4 MiB ", "4  MiB", "KiB", "-1", "99999999 TiB",
                          "18446744073709551615 KiB", "04 KiB", "1.5GiB", "2 PiB", "1048577 GiB"}) {
    EXPECT_FALSE(read("'" + std::string(bad) + "'").ok()) << bad;
  }
  EXPECT_EQ(read("64 KB").message(),
            "t.yaml:1: size: got \"64 KB\", expected from 1 to 1125899906842624 bytes: an integer, "
            "or with a unit (B, KiB, MiB, GiB, TiB) as in 64 KiB");
}

TEST(ObjectReaderTest, DurationsNeedAUnitUnlessZero) {
  uint64_t ms = 1;
  const auto read = [&](std::string_view value) {
    return Read("wait: " + std::string(value),
                [&](ObjectReader& r) { r.DurationMs("wait", 0, 3'600'000, ms); });
  };
  const std::pair<const char*, uint64_t> cases[] = {
      {"0", 0}, {"'0'", 0}, {"50 ms", 50}, {"2s", 2000}, {"5 min", 300000}, {"1h", 3600000}};
  for (const auto& [text, expected] : cases) {
    EXPECT_TRUE(read(text).ok()) << text;
    EXPECT_EQ(ms, expected);
  }
  for (const char* bad : {"50", "2 sec", "61 min", "-1 s", "s", "1 m"}) {
    EXPECT_FALSE(read(bad).ok()) << bad;
  }
  EXPECT_EQ(read("50").message(),
            "t.yaml:1: wait: got 50, expected from 0 ms to 3600000 ms: an integer with a unit (ms, "
            "s, min, h) as in 50 ms, or 0");
}

TEST(ObjectReaderTest, NestedErrorsCarryTheDottedPath) {
  const auto read = [](const char* yaml) {
    return Read(yaml, [](ObjectReader& r) {
      uint32_t n = 0;
      std::vector<uint32_t> shape;
      r.Object("limits", [&](ObjectReader& limits) { limits.Unsigned("rows", 1u, 9u, n); });
      r.ObjectList("models", 1, 2, [&](size_t, ObjectReader& model) {
        model.Require("units");
        model.Unsigned("units", 1u, 9u, n);
        model.Object("input",
                     [&](ObjectReader& input) { input.UnsignedList("shape", 2, 1, 9, shape); });
      });
    });
  };
  const std::pair<const char*, const char*> cases[] = {
      {"limits:\n  rows: 0\n", "t.yaml:2: limits.rows: got 0, expected an integer from 1 to 9"},
      {"limits:\n  row: 1\n", "t.yaml:2: limits.row: unknown key; did you mean rows?"},
      {"limits: 5\n", "t.yaml:1: limits: got 5, expected a map"},
      {"models: 5\n", "t.yaml:1: models: got 5, expected a list of maps"},
      {"models: []\n", "t.yaml:1: models: got 0 items, expected from 1 to 2"},
      {"models: [{units: 1}, {units: 1}, {units: 1}]\n",
       "t.yaml:1: models: got 3 items, expected from 1 to 2"},
      {"models:\n - units: 1\n - units: 10\n",
       "t.yaml:3: models[1].units: got 10, expected an integer from 1 to 9"},
      {"models:\n - input: {shape: [1]}\n",
       "t.yaml:2: models[0].units: missing; it has no default"},
      {"models:\n - units: 1\n   input:\n     shape: [1, 10]\n",
       "t.yaml:4: models[0].input.shape[1]: got 10, expected an integer from 1 to 9"},
      {"models:\n - units: 1\n   input:\n     shape: [1, 1, 1]\n",
       "t.yaml:4: models[0].input.shape: got 3 items, expected at most 2"},
      {"models: [3]\n", "t.yaml:1: models[0]: got 3, expected a map"}};
  for (const auto& [yaml, message] : cases) EXPECT_EQ(read(yaml).message(), message);
  EXPECT_EQ(Field(read("models:\n - units: 1\n - units: 10\n")), "models[1].units");
}

TEST(ObjectReaderTest, TheFirstErrorWins) {
  uint32_t n = 0;
  const auto status = Read("a: 99\nb: 99\n", [&](ObjectReader& r) {
    r.Unsigned("a", 0u, 9u, n);
    EXPECT_FALSE(r.ok());
    r.Unsigned("b", 0u, 9u, n);
    r.Fail("b", "never seen");
  });
  EXPECT_EQ(status.message(), "t.yaml:1: a: got 99, expected an integer from 0 to 9");
}

TEST(ObjectReaderTest, FailNamesThePlaceOfItsKey) {
  uint32_t n = 0;
  const auto status = Read("a: 1\nb: 2\n", [&](ObjectReader& r) {
    r.Unsigned("a", 0u, 9u, n);
    r.Unsigned("b", 0u, 9u, n);
    r.Fail("b", "must be smaller than a");
  });
  EXPECT_EQ(status.message(), "t.yaml:2: b: must be smaller than a");
}

TEST(ObjectReaderTest, ALongValueIsCutAtACharacter) {
  bool flag = false;
  std::string yaml = "flag: '" + std::string(63, 'a');
  yaml += "\u00e9\u00e9'\n";  // the cut at 64 bytes would fall inside a character
  const auto status = Read(yaml, [&](ObjectReader& r) { r.Bool("flag", flag); });
  EXPECT_EQ(status.message(),
            "t.yaml:1: flag: got \"" + std::string(63, 'a') + "\"..., write true or false");
}

TEST(ObjectReaderTest, ADocumentThatIsNoMapIsRefused) {
  EXPECT_EQ(Read("[1]", [](ObjectReader& r) { EXPECT_FALSE(r.ok()); }).message(),
            "t.yaml:1: got a list, expected a map");
}

TEST(EditDistanceTest, CountsInsertionsDeletionsAndSubstitutions) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("rows", "rows"), 0u);
  EXPECT_EQ(EditDistance("", "rows"), 4u);
  EXPECT_EQ(EditDistance("row", "rows"), 1u);
  EXPECT_EQ(EditDistance("rwos", "rows"), 2u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("sitting", "kitten"), 3u);
}

TEST(NearestNameTest, StaysWithinAThirdOfTheWord) {
  const std::vector<std::string> names = {"units", "activation"};
  EXPECT_EQ(NearestName("unit", names), "units");
  EXPECT_EQ(NearestName("activaton", names), "activation");
  EXPECT_EQ(NearestName("banana", names), "");
  EXPECT_EQ(NearestName("", names), "");
  EXPECT_EQ(NearestName("units", {}), "");
}

}  // namespace
}  // namespace tally::text
