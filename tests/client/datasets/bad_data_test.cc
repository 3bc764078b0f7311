// Goal: no malformed data file is read, none crashes or allocates by the word of its header, and
// each error names the file, the place, the value and what was expected. Method: a table of named
// cases: how to break the files, the status code, and parts of the message.

#include <gtest/gtest.h>

#include <functional>
#include <ostream>

#include "client/datasets/find_dataset.h"
#include "tests/client/datasets/sample_files.h"
#include "tests/support/temporary_folder.h"

namespace tally {
namespace {

using absl::StatusCode;
using Reading = absl::StatusOr<Dataset>;

struct BadCase {
  const char* name;
  // Writes files into the folder and reads them.
  std::function<Reading(const TemporaryFolder&)> read;
  StatusCode code;
  std::vector<const char*> message_parts;
};

void PrintTo(const BadCase& bad, std::ostream* out) { *out << bad.name; }

Reading ReadFiles(const std::string& samples, const std::string& labels, uint32_t classes = 10,
                  ElementType csv_type = ElementType::kUint8) {
  const auto part = PartFromFiles(samples, labels);
  if (!part.ok()) return part.status();
  return ReadDataset(*part, {csv_type, classes});
}

// Images as given, 4 good labels.
auto Images(std::string bytes, std::string name = "images") {
  return [bytes, name](const TemporaryFolder& folder) {
    return ReadFiles(folder.Write(name, bytes), folder.Write("labels", SmallLabels(4)));
  };
}

// 4 good images, labels as given.
auto Labels(std::string bytes, uint32_t classes = 10) {
  return [bytes, classes](const TemporaryFolder& folder) {
    return ReadFiles(folder.Write("images", SmallImages(4)), folder.Write("labels", bytes),
                     classes);
  };
}

auto Csv(std::string text, ElementType type = ElementType::kUint8) {
  return [text, type](const TemporaryFolder& folder) {
    return ReadFiles(folder.Write("a.csv", text), "", 10, type);
  };
}

auto Cifar(std::string bytes, std::string name = "a.bin") {
  return [bytes, name](const TemporaryFolder& folder) {
    return ReadFiles(folder.Write(name, bytes), "");
  };
}

std::string Flipped(std::string bytes, size_t at) {
  bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
  return bytes;
}

std::string WithoutTail(const std::string& bytes, size_t tail) {
  return bytes.substr(0, bytes.size() - tail);
}

class BadDataTest : public testing::TestWithParam<BadCase> {};

TEST_P(BadDataTest, IsRefusedWithCodeAndMessage) {
  const TemporaryFolder folder;
  const Reading reading = GetParam().read(folder);
  ASSERT_FALSE(reading.ok());
  EXPECT_EQ(reading.status().code(), GetParam().code) << reading.status();
  const std::string message(reading.status().message());
  for (const char* const part : GetParam().message_parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "no \"" << part << "\" in: " << message;
  }
}

const StatusCode kInvalid = StatusCode::kInvalidArgument;
const StatusCode kLoss = StatusCode::kDataLoss;

INSTANTIATE_TEST_SUITE_P(
    Idx, BadDataTest,
    testing::Values(
        BadCase{"MissingFile",
                [](const TemporaryFolder& folder) {
                  return ReadFiles(folder.Path("nowhere"), folder.Path("labels"));
                },
                StatusCode::kNotFound,
                {"cannot open", "nowhere", "No such file"}},
        BadCase{"FolderInsteadOfFile",
                [](const TemporaryFolder& folder) {
                  return ReadFiles(folder.path(), folder.Write("labels", SmallLabels(4)));
                },
                kInvalid,
                {"is a folder, expected a file"}},
        BadCase{"EmptyFile",
                Images(""),
                kInvalid,
                {"images", "truncated at byte 0", "magic needs 4 bytes"}},
        BadCase{"HeaderCutInTheMagic",
                Images(std::string("\0\0\x08", 3)),
                kInvalid,
                {"truncated at byte 3", "3 are there"}},
        BadCase{"HeaderCutInTheDimensions",
                Images(SmallImages(4).substr(0, 10)),
                kInvalid,
                {"truncated at byte 10", "dimensions"}},
        BadCase{"WrongMagic",
                Images("PNG" + SmallImages(4)),
                kInvalid,
                {"byte 0", "0x50 0x4e", "expected 0x00 0x00"}},
        BadCase{"FloatElements",
                Images(IdxBytes(0x0D, {1, 2}, std::string(8, 0))),
                kInvalid,
                {"byte 2", "0x0d", "floating point", "8 or 16 bits"}},
        BadCase{"DoubleElements",
                Images(IdxBytes(0x0E, {1, 1}, std::string(8, 0))),
                kInvalid,
                {"byte 2", "0x0e", "64-bit floating point"}},
        BadCase{"IntElements",
                Images(IdxBytes(0x0C, {1, 2}, std::string(8, 0))),
                kInvalid,
                {"0x0c", "(int32)"}},
        BadCase{"UnknownElementType",
                Images(IdxBytes(0x77, {1, 2}, "ab")),
                kInvalid,
                {"byte 2", "0x77"}},
        BadCase{"LabelsGivenAsImages",
                Images(SmallLabels(4)),
                kInvalid,
                {"byte 3", "1 dimensions", "expected 2 to 5"}},
        BadCase{"TooManyDimensions",
                Images(IdxBytes(0x08, {1, 1, 1, 1, 1, 1}, "a")),
                kInvalid,
                {"byte 3", "6 dimensions"}},
        BadCase{
            "NoSamples", Images(IdxBytes(0x08, {0, 2, 3}, "")), kInvalid, {"byte 4", "no samples"}},
        BadCase{"ZeroDimension",
                Images(IdxBytes(0x08, {4, 2, 0}, "")),
                kInvalid,
                {"byte 12", "dimension 2 is 0", "expected 1 to 65536"}},
        BadCase{
            "HugeDimension", Images(IdxBytes(0x08, {4, 65537}, "")), kInvalid, {"byte 8", "65537"}},
        BadCase{"HugeRow",
                Images(IdxBytes(0x08, {4, 65536, 65536, 65536}, "")),
                kInvalid,
                {"1048576 elements"}},
        BadCase{"HugeCount",
                Images(IdxBytes(0x0B, {4294967295u, 1024, 1024}, "")),
                kInvalid,
                {"byte 4", "4294967295 samples", "at most 2147483648", "split"}},
        BadCase{"HeaderPromisesAGigabyteThatIsNotThere",
                Images(IdxBytes(0x08, {4, 1024, 1024}, "only this")),
                kInvalid,
                {"truncated at byte 25"}},
        BadCase{"TruncatedSamples",
                Images(WithoutTail(SmallImages(4), 1)),
                kInvalid,
                {"truncated at byte 39", "4 samples needs 24 bytes from byte 16", "23 are there"}},
        BadCase{"TrailingByte",
                Images(SmallImages(4) + "x"),
                kInvalid,
                {"trailing bytes from byte 40 on"}},
        BadCase{"FewerSamplesThanLabels",
                Images(SmallImages(3)),
                kInvalid,
                {"holds 3 samples", "holds 4 labels"}},
        BadCase{"MoreSamplesThanLabels",
                Images(SmallImages(5)),
                kInvalid,
                {"holds 5 samples", "holds 4 labels"}},
        BadCase{"ImagesGivenAsLabels",
                Labels(SmallImages(4)),
                kInvalid,
                {"labels", "3 dimensions, expected 1"}},
        BadCase{"SignedLabelType",
                Labels(IdxBytes(0x09, {4}, "\1\2\3\4")),
                kInvalid,
                {"0x09 (int8)", "for labels"}},
        BadCase{"LabelOutOfRange",
                Labels(IdxBytes(0x08, {4}, std::string("\1\2\x0a\4", 4))),
                kInvalid,
                {"byte 10", "label 10 of sample 2", "expected 0 to 9"}},
        BadCase{"NegativeLabel",
                Labels(IdxBytes(0x0B, {4}, std::string("\0\1\0\2\xff\xff\0\3", 8))),
                kInvalid,
                {"byte 12", "label -1 of sample 2"}},
        BadCase{"LabelOutOfRangeForFewerClasses",
                Labels(SmallLabels(4), 3),
                kInvalid,
                {"byte 11", "label 3", "expected 0 to 2"}},
        BadCase{"TruncatedLabels",
                Labels(WithoutTail(SmallLabels(4), 2)),
                kInvalid,
                {"labels", "truncated at byte 10"}}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Compressed, BadDataTest,
    testing::Values(BadCase{"GzipNameOnPlainBytes",
                            Images(SmallImages(4), "images.gz"),
                            kInvalid,
                            {"images.gz", "the name says gzip"}},
                    BadCase{"XzNameOnGzipBytes",
                            Images(Gzip(SmallImages(4)), "images.xz"),
                            kInvalid,
                            {"the name says xz"}},
                    BadCase{"TruncatedGzip",
                            Images(WithoutTail(Gzip(SmallImages(4)), 9), "images.gz"),
                            kLoss,
                            {"images.gz", "ends early"}},
                    BadCase{"TruncatedGzipTrailer",
                            Images(WithoutTail(Gzip(SmallImages(4)), 1), "images.gz"),
                            kLoss,
                            {"ends early"}},
                    BadCase{"BitFlipInGzipData",
                            Images(Flipped(Gzip(SmallImages(4)), 20), "images.gz"),
                            kLoss,
                            {"damaged gzip data"}},
                    BadCase{"BitFlipInGzipChecksum",
                            Images(Flipped(Gzip(SmallImages(4)), Gzip(SmallImages(4)).size() - 6),
                                   "images.gz"),
                            kLoss,
                            {"damaged gzip data", "incorrect data check"}},
                    BadCase{"BytesBehindGzip",
                            Images(Gzip(SmallImages(4)) + "more", "images.gz"),
                            kLoss,
                            {"damaged gzip data after 40 decompressed bytes"}},
                    BadCase{"TrailingBytesInsideGzip",
                            Images(Gzip(SmallImages(4) + "x"), "images.gz"),
                            kInvalid,
                            {"trailing bytes from byte 40 on"}},
                    BadCase{"TruncatedXz",
                            Images(WithoutTail(Xz(SmallImages(4)), 5), "images.xz"),
                            kLoss,
                            {"images.xz", "truncated"}},
                    BadCase{"BitFlipInXz",
                            Images(Flipped(Xz(SmallImages(4)), 60), "images.xz"),
                            kLoss,
                            {"damaged xz data"}},
                    BadCase{"BytesBehindXz",
                            Images(Xz(SmallImages(4)) + "more", "images.xz"),
                            kLoss,
                            {"damaged xz data"}}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Cifar10, BadDataTest,
    testing::Values(BadCase{"EmptyCifar", Cifar(""), kInvalid, {"a.bin", "no samples"}},
                    BadCase{"TruncatedRecord",
                            Cifar(WithoutTail(CifarRecords(2), 1)),
                            kInvalid,
                            {"truncated at byte 6145", "record 1 needs 3073 bytes from byte 3073"}},
                    BadCase{"CifarLabelOutOfRange",
                            Cifar(CifarRecords(1) + "\x0b" + CifarRecords(1).substr(1)),
                            kInvalid,
                            {"byte 3073", "label 11 of record 1", "expected 0 to 9"}},
                    BadCase{"TruncatedCifarXz",
                            Cifar(WithoutTail(Xz(CifarRecords(2)), 20), "a.bin.xz"),
                            kLoss,
                            {"a.bin.xz", "damaged xz data"}}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Csv, BadDataTest,
    testing::Values(
        BadCase{"EmptyCsv", Csv(""), kInvalid, {"a.csv", "no samples"}},
        BadCase{"OnlyAHeader", Csv("a,b,c\n"), kInvalid, {"no samples"}},
        BadCase{"TwoHeaders", Csv("a,b\nc,d\n1,2\n"), kInvalid, {"a.csv:2", "column 1", "\"c\""}},
        BadCase{"OneColumn", Csv("1\n2\n"), kInvalid, {"a.csv:1", "1 columns", "the label last"}},
        BadCase{"ShortRow", Csv("1,2,3\n4,5\n"), kInvalid, {"a.csv:2", "2 columns, expected 3"}},
        BadCase{"LongRow", Csv("1,2,3\n4,5,6,7\n"), kInvalid, {"a.csv:2", "4 columns, expected 3"}},
        BadCase{"EmptyLine", Csv("1,2\n\n3,4\n"), kInvalid, {"a.csv:2", "1 columns"}},
        BadCase{"EmptyField", Csv("1,,3\n"), kInvalid, {"a.csv:1", "column 2", "\"\""}},
        BadCase{"WordInTheData", Csv("1,two,3\n"), kInvalid, {"a.csv:1", "column 2", "\"two\""}},
        BadCase{"FloatInTheData",
                Csv("1,2,3\n1,2.5,3\n"),
                kInvalid,
                {"a.csv:2", "column 2", "\"2.5\"", "an integer from 0 to 255"}},
        BadCase{"ValueAboveUint8", Csv("256,1\n"), kInvalid, {"column 1", "\"256\"", "0 to 255"}},
        BadCase{"NegativeUint8", Csv("-1,1\n"), kInvalid, {"\"-1\"", "0 to 255"}},
        BadCase{"ValueBelowInt8",
                Csv("-129,1\n", ElementType::kInt8),
                kInvalid,
                {"\"-129\"", "-128 to 127"}},
        BadCase{"ValueAboveInt16",
                Csv("32768,1\n", ElementType::kInt16),
                kInvalid,
                {"\"32768\"", "-32768 to 32767"}},
        BadCase{"ValueBeyond64Bits",
                Csv("99999999999999999999,1\n"),
                kInvalid,
                {"\"99999999999999999999\""}},
        BadCase{
            "CsvLabelOutOfRange", Csv("1,10\n"), kInvalid, {"column 2", "label \"10\"", "0 to 9"}},
        BadCase{"NegativeCsvLabel", Csv("1,-1\n"), kInvalid, {"label \"-1\""}},
        BadCase{"EndlessLine",
                Csv(std::string(9 << 20, '1')),
                kInvalid,
                {"a.csv:1", "longer than 8388608 bytes"}},
        BadCase{"BinaryBytes",
                Csv(std::string("1,2\n\0\xff,1\n", 10)),
                kInvalid,
                {"a.csv:2", "column 1"}},
        BadCase{"UnknownName",
                [](const TemporaryFolder& folder) {
                  return ReadFiles(folder.Write("samples.dat", "1,2\n"), "");
                },
                kInvalid,
                {"samples.dat", "neither CSV", "file of labels"}}),
    [](const auto& info) { return info.param.name; });

// The message of a value that would fill the screen is cut.
TEST(BadDataMessageTest, ShowsOnlyTheBeginningOfALongValue) {
  const TemporaryFolder folder;
  const auto reading =
      ReadFiles(folder.Write("a.csv", "1,2\n" + std::string(100000, 'x') + ",2\n"), "");
  ASSERT_FALSE(reading.ok());
  EXPECT_LT(reading.status().message().size(), 400u);
}

}  // namespace
}  // namespace tally
