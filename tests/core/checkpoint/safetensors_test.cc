// Goal: pin what the container reader accepts and every reason it has to refuse.
// Method: headers written by hand over a small data buffer, one fault each; whole messages.

#include "core/checkpoint/safetensors.h"

#include <gtest/gtest.h>

namespace tally::safetensors {
namespace {

// A file of this header, padded, and `size` bytes of data.
std::string File8(std::string header, size_t size) {
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(header.size() >> (8 * i) & 0xff));
  return bytes + header + std::string(size, 'x');
}

// The message for a header over 8 bytes of data, or "ok".
std::string Outcome(const std::string& header, size_t size = 8) {
  const auto file = Read(File8(header, size));
  if (file.ok()) return "ok";
  EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(file.status().message());
}

// One tensor 'x' with these fields over 8 bytes of data.
std::string Single(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"x":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

TEST(SafetensorsTest, ReadsAFileInAnyOrder) {
  const auto file = Read(File8(R"({"b":{"shape":[2],"dtype":"I16","data_offsets":[4,8]},)"
                               R"("__metadata__":{"k":"v"},)"
                               R"("a":{"dtype":"U8","shape":[2,2],"data_offsets":[0,4]},)"
                               R"("e":{"dtype":"I64","shape":[0],"data_offsets":[4,4]}})",
                               8));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->metadata, (Metadata{{"k", "v"}}));
  ASSERT_EQ(file->tensors.size(), 3u);
  EXPECT_EQ(file->tensors[0].name, "a");
  EXPECT_EQ(file->tensors[1].name, "b");
  EXPECT_EQ(file->tensors[1].type, StateType::kInt16);
  EXPECT_EQ(file->tensors[1].bytes.size(), 4u);
  EXPECT_EQ(file->tensors[2].bytes.size(), 0u);
}

TEST(SafetensorsTest, WritesTheSameBytesWhateverTheOrder) {
  const std::vector<Tensor> tensors = {{"b", StateType::kInt8, {3}, "abc"},
                                       {"a", StateType::kInt8, {2}, "de"},
                                       {"w", StateType::kInt64, {}, "12345678"}};
  const std::string bytes = Write({{"k", "\"\n"}}, tensors);
  EXPECT_EQ(Write({{"k", "\"\n"}}, {tensors[2], tensors[0], tensors[1]}), bytes);
  EXPECT_EQ(bytes.substr(bytes.size() - 13), "12345678deabc");
  EXPECT_EQ(bytes.find("12345678") % 8, 0u);
  const auto file = Read(bytes);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->metadata.at("k"), "\"\n");
  EXPECT_EQ(file->tensors[1].bytes, "abc");
}

TEST(SafetensorsTest, RefusesFloatingPointTensorsByName) {
  for (const char* dtype : {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F4", "C64"}) {
    EXPECT_EQ(Outcome(Single(dtype, "[2]", "[0,8]")),
              std::string("safetensors: ") + dtype + " tensor 'x': tally is integer only");
  }
}

TEST(SafetensorsTest, RefusesOtherDtypes) {
  for (const char* dtype : {"BOOL", "U16", "U32", "i8", "", "I128"}) {
    EXPECT_EQ(Outcome(Single(dtype, "[8]", "[0,8]")),
              std::string("safetensors: tensor 'x': dtype \"") + dtype +
                  "\", expected one of I8, I16, I32, I64, U8, U64");
  }
}

TEST(SafetensorsTest, RefusesShapesThatDoNotFitTheirBytes) {
  EXPECT_EQ(Outcome(Single("I8", "[8]", "[0,8]")), "ok");
  EXPECT_EQ(Outcome(Single("I64", "[]", "[0,8]")), "ok");
  EXPECT_EQ(Outcome(Single("I8", "[7]", "[0,8]")),
            "safetensors: tensor 'x': shape [7] of I8 does not have 8 bytes");
  EXPECT_EQ(Outcome(Single("I16", "[8]", "[0,8]")),
            "safetensors: tensor 'x': shape [8] of I16 does not have 8 bytes");
  // 2^32 * 2^32 wraps to 0, 2^61 * 8 too, and 2^64 - 1 elements of 8 bytes to something else.
  EXPECT_EQ(Outcome(Single("I8", "[4294967296,4294967296]", "[0,8]")),
            "safetensors: tensor 'x': shape [4294967296,4294967296] of I8 does not have 8 bytes");
  EXPECT_EQ(Outcome(Single("I64", "[2305843009213693953]", "[0,8]")),
            "safetensors: tensor 'x': shape [2305843009213693953] of I64 does not have 8 bytes");
  EXPECT_EQ(Outcome(Single("I8", "[18446744073709551615,0]", "[0,0]"), 0), "ok");
}

TEST(SafetensorsTest, RefusesOffsetsOutsideTheData) {
  EXPECT_EQ(Outcome(Single("I8", "[9]", "[0,9]")),
            "safetensors: tensor 'x': data_offsets [0,9] leave the data of 8 bytes");
  EXPECT_EQ(Outcome(Single("I8", "[8]", "[8,0]")),
            "safetensors: tensor 'x': data_offsets [8,0] leave the data of 8 bytes");
  EXPECT_EQ(
      Outcome(Single("I8", "[8]", "[18446744073709551608,18446744073709551615]")),
      "safetensors: tensor 'x': data_offsets [18446744073709551608,18446744073709551615] leave "
      "the data of 8 bytes");
  EXPECT_EQ(Outcome(Single("I8", "[8]", "[-8,0]")),
            "safetensors: tensor 'x': data_offsets is missing or no pair of integers from 0");
  EXPECT_EQ(Outcome(Single("I8", "[8]", "[0,8,9]")),
            "safetensors: tensor 'x': data_offsets is missing or no pair of integers from 0");
}

TEST(SafetensorsTest, RefusesOverlapsHolesAndLeftovers) {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"I8","shape":[4],"data_offsets":)" + first +
           R"(},"b":{"dtype":"I8","shape":[4],"data_offsets":)" + second + "}}";
  };
  EXPECT_EQ(Outcome(two("[0,4]", "[4,8]")), "ok");
  EXPECT_EQ(Outcome(two("[4,8]", "[0,4]")), "ok");
  EXPECT_EQ(
      Outcome(two("[0,4]", "[3,7]")),
      "safetensors: tensor 'b': begins at byte 3 of the data, inside another tensor; expected 4");
  EXPECT_EQ(Outcome(two("[0,4]", "[0,4]")).substr(0, 13), "safetensors: ");
  EXPECT_EQ(Outcome(two("[0,4]", "[5,9]"), 9),
            "safetensors: tensor 'b': begins at byte 5 of the data, behind a hole; expected 4");
  EXPECT_EQ(Outcome(two("[1,5]", "[5,9]"), 9),
            "safetensors: tensor 'a': begins at byte 1 of the data, behind a hole; expected 0");
  EXPECT_EQ(Outcome(two("[0,4]", "[4,8]"), 9),
            "safetensors: 9 bytes of data, of which the tensors cover 8");
  EXPECT_EQ(Outcome("{}", 1), "safetensors: 1 bytes of data, of which the tensors cover 0");
  EXPECT_EQ(Outcome("{}", 0), "ok");
}

TEST(SafetensorsTest, RefusesEntriesOfTheWrongForm) {
  EXPECT_EQ(Outcome(R"({"x":5})"), "safetensors: tensor 'x': its entry in the header is no map");
  EXPECT_EQ(Outcome(R"({"x":{}})"), "safetensors: tensor 'x': dtype is missing or no text");
  EXPECT_EQ(Outcome(R"({"x":{"dtype":5}})"),
            "safetensors: tensor 'x': dtype is missing or no text");
  EXPECT_EQ(Outcome(Single("I8", "8", "[0,8]")),
            "safetensors: tensor 'x': shape is missing or no list of integers from 0");
  EXPECT_EQ(Outcome(Single("I8", "[-8]", "[0,8]")),
            "safetensors: tensor 'x': shape is missing or no list of integers from 0");
  EXPECT_EQ(Outcome(R"({"x":{"dtype":"I8","shape":[8],"data_offsets":[0,8],"more":1}})"),
            "safetensors: tensor 'x': a key besides dtype, shape and data_offsets");
  EXPECT_EQ(Outcome(R"({"__metadata__":5})"), "safetensors: __metadata__ is no map");
  EXPECT_EQ(Outcome(R"({"__metadata__":{"k":5}})"), "safetensors: metadata 'k' is no text");
}

TEST(SafetensorsTest, RefusesDuplicateNamesAndBrokenHeaders) {
  const std::string x = R"("x":{"dtype":"I8","shape":[8],"data_offsets":[0,8]})";
  EXPECT_EQ(Outcome("{" + x + "," + x + "}"), "safetensors header: byte 56: duplicate key \"x\"");
  EXPECT_EQ(Outcome(R"({"x":1.5})"), "safetensors header: byte 5: number 1.5: integers only");
  EXPECT_EQ(Outcome("{\"\xff\":1}"), "safetensors header: byte 2: not UTF-8");
  const std::string form =
      "safetensors: the header is not a JSON object padded with spaces to a multiple of 8 bytes";
  EXPECT_EQ(Outcome(" {}"), form);
  EXPECT_EQ(Outcome("[]"), form);
  EXPECT_EQ(Outcome("{}\n"), form);
  EXPECT_EQ(Outcome("{"), form);
  EXPECT_EQ(Outcome(""), form);
  EXPECT_EQ(Outcome("        "), form);
}

TEST(SafetensorsTest, RefusesImpossibleHeaderLengths) {
  const auto outcome = [](std::string_view bytes) {
    return std::string(Read(bytes).status().message());
  };
  EXPECT_EQ(outcome(""), "safetensors: only 0 bytes");
  EXPECT_EQ(outcome("1234567"), "safetensors: only 7 bytes");
  EXPECT_EQ(outcome(std::string_view("\x10\0\0\0\0\0\0\0{}", 10)),
            "safetensors: a header of 16 bytes, of which 2 are there");
  EXPECT_EQ(outcome(std::string_view("\x01\xe1\xf5\x05\0\0\0\0{}", 10)),
            "safetensors: a header of 100000001 bytes; at most 100000000 are allowed");
  EXPECT_EQ(outcome("\xff\xff\xff\xff\xff\xff\xff\xff{}"),
            "safetensors: a header of 18446744073709551615 bytes; at most 100000000 are allowed");
  EXPECT_EQ(
      outcome(std::string_view("\x03\0\0\0\0\0\0\0{} ", 11)),
      "safetensors: the header is not a JSON object padded with spaces to a multiple of 8 bytes");
}

TEST(SafetensorsTest, SurvivesEveryChangedByteOfAHeader) {
  const std::string good = File8(R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},)"
                                 R"("b":{"dtype":"I16","shape":[1,2],"data_offsets":[4,8]}})",
                                 8);
  ASSERT_TRUE(Read(good).ok());
  for (size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string bad = good;
      bad[at] = static_cast<char>(byte);
      const auto file = Read(bad);
      if (file.ok()) continue;  // a renamed tensor or changed data are not the container's affair
      ASSERT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
    }
  }
}

}  // namespace
}  // namespace tally::safetensors
