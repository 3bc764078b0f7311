// Goal: pin what ParseJson accepts, what it refuses, and where it says the error is.
// Method: hand-written documents against the whole tree or the whole message; every prefix and
// every single-byte change of a good document must end in a tree or an INVALID_ARGUMENT, never in a
// crash.

#include <gtest/gtest.h>

#include "core/text/limits.h"
#include "core/text/utf8.h"
#include "core/text/value.h"
#include "tests/core/text/show.h"

namespace tally::text {
namespace {

std::string Parsed(std::string_view json) { return Show(ParseJson(json, "request")); }

TEST(JsonTest, ReadsEveryKindOfValueInDocumentOrder) {
  EXPECT_EQ(Parsed(R"( {"b":[1,-2,"x"],"a":{"t":true,"f":false},"e":{},"l":[]} )"),
            R"({"b":[1,-2,"x"],"a":{"t":true,"f":false},"e":{},"l":[]})");
}

TEST(JsonTest, ReadsTheWholeOfInt64AndUint64) {
  EXPECT_EQ(Parsed("[18446744073709551615,-9223372036854775808,0,-0]"),
            "[18446744073709551615,-9223372036854775808,0,0]");
  EXPECT_EQ(Parsed("18446744073709551616"),
            "request: byte 0: number 18446744073709551616: does not fit 64 bits");
  EXPECT_EQ(Parsed("-9223372036854775809"),
            "request: byte 0: number -9223372036854775809: does not fit 64 bits");
}

TEST(JsonTest, RefusesFloatingPointNumbers) {
  EXPECT_EQ(Parsed(R"({"rate":0.5})"), "request: byte 8: number 0.5: integers only");
  EXPECT_EQ(Parsed("1e3"), "request: byte 0: number 1e3: integers only");
  EXPECT_EQ(Parsed("-1E+3"), "request: byte 0: number -1E+3: integers only");
  EXPECT_EQ(Parsed("[NaN]"), "request: byte 1: expected a value, found \"N\"");
  EXPECT_EQ(Parsed("[-Infinity]"), "request: byte 1: number -: expected a digit after the sign");
}

TEST(JsonTest, RefusesNullDuplicateKeysAndLeadingZeros) {
  EXPECT_EQ(Parsed(R"({"a":null})"),
            "request: byte 5: null is not accepted; leave the key out for its default");
  EXPECT_EQ(Parsed(R"({"a":1,"\u0061":2})"), "request: byte 15: duplicate key \"a\"");
  EXPECT_EQ(Parsed("0123"), "request: byte 0: number 0123: an integer must not start with 0");
}

TEST(JsonTest, RefusesWhatIsNotJson) {
  EXPECT_EQ(Parsed(""), "request: byte 0: expected a value, found the end of the text");
  EXPECT_EQ(Parsed("{} x"), "request: byte 3: expected the end of the text, found \"x\"");
  EXPECT_EQ(Parsed("[1,]"), "request: byte 3: expected a value, found \"]\"");
  EXPECT_EQ(Parsed("[1 2]"), "request: byte 3: expected ',' or ']', found \"2\"");
  EXPECT_EQ(Parsed(R"({"a":1,})"), "request: byte 7: expected a key in quotes, found \"}\"");
  EXPECT_EQ(Parsed("{a:1}"), "request: byte 1: expected a key in quotes, found \"a\"");
  EXPECT_EQ(Parsed(R"({"a" 1})"), "request: byte 5: expected ':' after a key, found \"1\"");
  EXPECT_EQ(Parsed(R"({"a":1)"), "request: byte 6: expected ',' or '}', found the end of the text");
  EXPECT_EQ(Parsed("\"a"), "request: byte 2: a string does not end");
  EXPECT_EQ(Parsed("+1"), "request: byte 0: expected a value, found \"+\"");
  EXPECT_EQ(Parsed("truth"), "request: byte 0: expected a value, found \"t\"");
  EXPECT_EQ(Parsed("// c"), "request: byte 0: expected a value, found \"/\"");
}

TEST(JsonTest, DecodesEscapesAndSurrogatePairs) {
  const auto value = ParseJson(R"("\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\ude00")", "request");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(std::get<std::string>(value->data), "\"\\/\b\f\n\r\t\u00e9\u20ac\U0001f600");
  EXPECT_EQ(Parsed(R"("\udc00")"), "request: byte 7: a low surrogate without a high one");
  EXPECT_EQ(Parsed(R"("\ud800")"), "request: byte 7: a high surrogate without a low one");
  EXPECT_EQ(Parsed(R"("\ud800\u0041")"), "request: byte 13: a high surrogate without a low one");
  EXPECT_EQ(Parsed(R"("\x")"), "request: byte 2: unknown escape in a string, found \"x\"");
  EXPECT_EQ(Parsed(R"("\u12g4")"),
            "request: byte 5: expected four hexadecimal digits after \\u, found \"g\"");
  EXPECT_EQ(Parsed("\"a\x01\""), "request: byte 2: a control character in a string; escape it");
}

TEST(JsonTest, RefusesWhatIsNotUtf8) {
  EXPECT_EQ(Parsed("\"\xff\""), "request: byte 1: not UTF-8");
  EXPECT_EQ(Parsed("\"\xc0\xaf\""), "request: byte 1: not UTF-8");          // overlong
  EXPECT_EQ(Parsed("\"\xed\xa0\x80\""), "request: byte 1: not UTF-8");      // surrogate
  EXPECT_EQ(Parsed("\"\xf4\x90\x80\x80\""), "request: byte 1: not UTF-8");  // above U+10FFFF
  EXPECT_EQ(Parsed("\"\xe2\x82\""), "request: byte 1: not UTF-8");          // cut short
  EXPECT_EQ(Parsed("\xef\xbb\xbf{}"), "request: byte 0: expected a value, found \"\xef\"");
}

TEST(JsonTest, NamesTheLineWhenTheTextHasLines) {
  EXPECT_EQ(Parsed("{\n\"a\": 1,\n\"b\": 1.5}"), "request:3: number 1.5: integers only");
  const auto value = ParseJson("{\n\"a\":\n[1]}", "request");
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(std::get<Map>(value->data)[0].value.line, 3);
  EXPECT_EQ(ParseJson("{}", "request")->line, 0);
}

TEST(JsonTest, BoundsTheDepth) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(ParseJson(nested(kDepthMax), "request").ok());
  EXPECT_EQ(Parsed(nested(kDepthMax + 1)), "request: byte 32: nested deeper than 32");
  EXPECT_EQ(Parsed(std::string(1 << 20, '[')), "request: byte 32: nested deeper than 32");
  EXPECT_EQ(Parsed(std::string(1 << 20, '{')),
            "request: byte 1: expected a key in quotes, found \"{\"");
}

TEST(JsonTest, SurvivesEveryPrefixAndEveryChangedByte) {
  const std::string good = R"({"a":[1,-20,"x\u00e9\n"],"b":{"c":true,"d":[{}]}})";
  ASSERT_TRUE(ParseJson(good, "request").ok());
  for (size_t length = 0; length < good.size(); ++length) {
    const auto value = ParseJson(good.substr(0, length), "request");
    EXPECT_EQ(value.status().code(), absl::StatusCode::kInvalidArgument) << length;
  }
  for (size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string bad = good;
      bad[at] = static_cast<char>(byte);
      const auto value = ParseJson(bad, "request");
      if (!value.ok()) {
        ASSERT_EQ(value.status().code(), absl::StatusCode::kInvalidArgument);
      }
    }
  }
}

TEST(JsonQuoteTest, EscapesControlsQuotesAndBackslashesOnly) {
  EXPECT_EQ(JsonQuote("a\"\\\b\f\n\r\t\x01\x1f\u00e9/"),
            "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\u00e9/\"");
}

TEST(JsonQuoteTest, IsReadBackForEveryCodePoint) {
  for (uint32_t code = 0; code <= 0x10ffff; code += (code < 0x3000 ? 1 : 257)) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    std::string text;
    AppendUtf8(code, text);
    ASSERT_TRUE(IsUtf8(text)) << code;
    const auto value = ParseJson(JsonQuote(text), "request");
    ASSERT_TRUE(value.ok()) << code << value.status();
    ASSERT_EQ(std::get<std::string>(value->data), text);
  }
}

}  // namespace
}  // namespace tally::text
