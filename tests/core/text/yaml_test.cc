// Goal: pin what ParseYaml accepts, what it refuses, and the line it names.
// Method: hand-written documents against the whole tree or the whole message; every prefix and many
// changed bytes of a good document must end in a tree or an INVALID_ARGUMENT.

#include <gtest/gtest.h>

#include "core/text/limits.h"
#include "core/text/value.h"
#include "tests/core/text/show.h"

namespace tally::text {
namespace {

std::string Parsed(std::string_view yaml) { return Show(ParseYaml(yaml, "t.yaml")); }

TEST(YamlTest, ReadsMapsListsAndScalars) {
  EXPECT_EQ(
      Parsed("name: door\nlayers:\n  - units: 100\n  - {units: 10, wide: true}\nlist: [1, -2]\n"),
      R"({"name":"door","layers":[{"units":100},{"units":10,"wide":true}],"list":[1,-2]})");
}

TEST(YamlTest, EmptyTextIsAnEmptyMap) {
  EXPECT_EQ(Parsed(""), "{}");
  EXPECT_EQ(Parsed("# nothing but a comment\n\n"), "{}");
}

TEST(YamlTest, ReadsIntegersInAllNotations) {
  EXPECT_EQ(Parsed("[0, +7, -8, 0x1F, 0xff, 0o17, 18446744073709551615, -9223372036854775808, -0]"),
            "[0,7,-8,31,255,15,18446744073709551615,-9223372036854775808,0]");
  EXPECT_EQ(Parsed("a: 18446744073709551616"),
            "t.yaml:1: 18446744073709551616: does not fit 64 bits");
  EXPECT_EQ(Parsed("a: -9223372036854775809"),
            "t.yaml:1: -9223372036854775809: does not fit 64 bits");
  EXPECT_EQ(Parsed("a: 0x10000000000000000"),
            "t.yaml:1: 0x10000000000000000: does not fit 64 bits");
}

TEST(YamlTest, KeepsAsTextWhatIsNoNumber) {
  EXPECT_EQ(
      Parsed("[yes, no, on, off, True, 0x, 0o8, 1_000, 12:30, 127.0.0.1, 1.2.3, '1.5', \"7\", -, 5 "
             "min, e3, ., +]"),
      R"(["yes","no","on","off","True","0x","0o8","1_000","12:30","127.0.0.1","1.2.3","1.5","7","-","5 min","e3",".","+"])");
}

TEST(YamlTest, RefusesFloatingPointNumbers) {
  for (const char* number : {"1.5", "1e3", "1.", ".5", "-0.0", "+1.5e-3", "1E5", ".inf", "-.INF",
                             ".nan", ".NaN", "6.02e+23"}) {
    EXPECT_EQ(
        Parsed(std::string("a: 1\nb: ") + number),
        std::string("t.yaml:2: ") + number + ": integers only; put it in quotes if it is text");
  }
}

TEST(YamlTest, RefusesOctalLookingIntegers) {
  EXPECT_EQ(Parsed("a: 0123"), "t.yaml:1: 0123: looks octal; write 0o123 or drop the zeros");
  EXPECT_EQ(Parsed("a: -007"), "t.yaml:1: -007: looks octal; write 0o07 or drop the zeros");
  EXPECT_EQ(Parsed("a: 00"), "t.yaml:1: 00: looks octal; write 0o0 or drop the zeros");
}

TEST(YamlTest, RefusesDuplicateKeysAnchorsAliasesTagsAndMergeKeys) {
  EXPECT_EQ(Parsed("a: 1\nb: 2\na: 3\n"), "t.yaml:3: duplicate key \"a\"");
  EXPECT_EQ(Parsed("a: 1\n\"a\": 3\n"), "t.yaml:2: duplicate key \"a\"");
  EXPECT_EQ(Parsed("a: 1\nb: &x 2\n"),
            "t.yaml:2: anchors (&x) are not accepted; write the value out");
  EXPECT_EQ(Parsed("a: &x {b: 1}\nc: *x\n"),
            "t.yaml:1: anchors (&x) are not accepted; write the value out");
  EXPECT_EQ(Parsed("a: !!int 3\n"), "t.yaml:1: tags (tag:yaml.org,2002:int) are not accepted");
  EXPECT_EQ(Parsed("a: !mine [3]\n"), "t.yaml:1: tags (!mine) are not accepted");
  EXPECT_EQ(Parsed("a: 1\n<<: {b: 1}\n"),
            "t.yaml:2: merge keys (<<) are not accepted; write the keys out");
}

TEST(YamlTest, RefusesNullAndSecondDocuments) {
  const std::string null =
      ": an empty value (null) is not accepted; leave the key out for its default";
  EXPECT_EQ(Parsed("a: 1\nb:\n"), "t.yaml:2" + null);
  EXPECT_EQ(Parsed("a: ~\n"), "t.yaml:1" + null);
  EXPECT_EQ(Parsed("a: null\n"), "t.yaml:1" + null);
  EXPECT_EQ(Parsed("a: 1\n---\nb: 1\n"), "t.yaml:2: a second document; one is read");
}

TEST(YamlTest, RefusesKeysThatAreNotScalars) {
  EXPECT_EQ(Parsed("? [a]\n: 1\n"), "t.yaml:1: a key must be a scalar");
  EXPECT_EQ(Parsed("{{a: 1}: 1}"), "t.yaml:1: a key must be a scalar");
}

TEST(YamlTest, AValueHasTheLineOfItsKey) {
  const auto value = ParseYaml("a: 1\nlimits:\n  rows: 5\nlist:\n  - 7\n", "t.yaml");
  ASSERT_TRUE(value.ok()) << value.status();
  const Map& map = std::get<Map>(value->data);
  EXPECT_EQ(map[1].value.line, 2);
  EXPECT_EQ(std::get<Map>(map[1].value.data)[0].value.line, 3);
  EXPECT_EQ(std::get<List>(map[2].value.data)[0].line, 5);
  EXPECT_EQ(map[1].value.origin, "t.yaml");
}

TEST(YamlTest, ReportsTheLibrarysErrorsWithTheirLine) {
  const auto value = ParseYaml("a: 1\nb: [1, 2\n", "t.yaml");
  EXPECT_EQ(value.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(value.status().message().find("t.yaml:"), 0u) << value.status();
  EXPECT_EQ(ParseYaml("a: b: c\n", "t.yaml").status().message().find("t.yaml:1: "), 0u);
}

TEST(YamlTest, RefusesControlCharactersAndBrokenUtf8) {
  EXPECT_EQ(Parsed("a: 1\nb: \xff\n"), "t.yaml:2: not UTF-8");
  EXPECT_EQ(Parsed("\xff\xfe"
                   "a"),
            "t.yaml:1: not UTF-8");
  // yaml-cpp would take 0x04 for the end of the file and drop the rest silently.
  EXPECT_EQ(Parsed("a: 1\n\x04\nb: 2\n"), "t.yaml:2: a control character");
  EXPECT_EQ(Parsed(std::string_view("a\0:1", 4)), "t.yaml:1: a control character");
}

TEST(YamlTest, BoundsTheDepth) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + "1" + std::string(depth, ']');
  };
  EXPECT_TRUE(ParseYaml(nested(kDepthMax), "t.yaml").ok());
  EXPECT_EQ(Parsed(nested(kDepthMax + 1)), "t.yaml:1: nested deeper than 32");
  EXPECT_FALSE(ParseYaml(std::string(100000, '['), "t.yaml").ok());
  EXPECT_FALSE(ParseYaml(std::string(100000, '{'), "t.yaml").ok());
}

TEST(YamlTest, BoundsTheSize) {
  EXPECT_EQ(Parsed(std::string(kYamlBytesMax + 1, '#')),
            "t.yaml: 16777217 bytes of YAML; at most 16777216 are read");
}

TEST(YamlTest, SurvivesEveryPrefixAndEveryChangedByte) {
  const std::string good = "a: [1, {b: 'x'}]\nc:\n  - \"d\"\n  - |\n    text\ne: -5\n";
  ASSERT_TRUE(ParseYaml(good, "t.yaml").ok());
  const auto check = [](const std::string& text) {
    const auto value = ParseYaml(text, "t.yaml");
    if (!value.ok()) {
      ASSERT_EQ(value.status().code(), absl::StatusCode::kInvalidArgument) << text;
    }
  };
  for (size_t at = 0; at < good.size(); ++at) {
    check(good.substr(0, at));
    for (int byte = 0; byte < 256; ++byte) {
      std::string bad = good;
      bad[at] = static_cast<char>(byte);
      check(bad);
    }
  }
}

}  // namespace
}  // namespace tally::text
