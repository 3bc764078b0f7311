// Goal: every supported format and compression gives exactly the rows and labels that were written.
// Method: files made byte by byte, read back and compared; no file of the product's own writer.

#include <gtest/gtest.h>

#include <cstring>

#include "client/datasets/cifar10.h"
#include "client/datasets/csv.h"
#include "client/datasets/idx.h"
#include "client/datasets/idx_writer.h"
#include "tests/client/datasets/sample_files.h"
#include "tests/support/temporary_folder.h"

namespace tally {
namespace {

std::vector<int> Bytes(const Dataset& dataset) {
  std::vector<int> out;
  for (const std::byte b : dataset.rows) out.push_back(std::to_integer<int>(b));
  return out;
}

std::vector<int16_t> Shorts(const Dataset& dataset) {
  std::vector<int16_t> out(dataset.rows.size() / 2);
  std::memcpy(out.data(), dataset.rows.data(), dataset.rows.size());  // the tests run little-endian
  return out;
}

void ExpectSmall(const Dataset& dataset, uint32_t n) {
  EXPECT_EQ(dataset.shape, (std::vector<uint32_t>{2, 3}));
  EXPECT_EQ(dataset.type, ElementType::kUint8);
  ASSERT_EQ(dataset.count(), n);
  ASSERT_EQ(dataset.rows.size(), n * 6);
  for (uint32_t i = 0; i < n * 6; ++i) {
    ASSERT_EQ(std::to_integer<uint32_t>(dataset.rows[i]), i % 251);
  }
  for (uint32_t i = 0; i < n; ++i) ASSERT_EQ(dataset.labels[i], i % 10);
}

TEST(IdxTest, ReadsPlainGzipAndXzFilesAlike) {
  const TemporaryFolder folder;
  const std::string images = SmallImages(100);
  const std::string labels = SmallLabels(100);
  for (const std::string suffix : {"", ".gz", ".xz"}) {
    const auto pack = [&](const std::string& bytes) {
      return suffix == ".gz" ? Gzip(bytes) : suffix == ".xz" ? Xz(bytes) : bytes;
    };
    const auto dataset = ReadIdx(folder.Write("images" + suffix, pack(images)),
                                 folder.Write("labels" + suffix, pack(labels)), 10);
    ASSERT_TRUE(dataset.ok()) << suffix << ": " << dataset.status();
    ExpectSmall(*dataset, 100);
  }
}

TEST(IdxTest, RecognisesCompressionByContentWhateverTheName) {
  const TemporaryFolder folder;
  const auto dataset = ReadIdx(folder.Write("images", Gzip(SmallImages(7))),
                               folder.Write("labels", Xz(SmallLabels(7))), 10);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  ExpectSmall(*dataset, 7);
}

TEST(IdxTest, ReadsSeveralGzipMembersAndXzStreamsAsOne) {
  const TemporaryFolder folder;
  const std::string images = SmallImages(50);
  const std::string labels = SmallLabels(50);
  const auto dataset =
      ReadIdx(folder.Write("i.gz", Gzip(images.substr(0, 33)) + Gzip(images.substr(33))),
              folder.Write("l.xz", Xz(labels.substr(0, 9)) + Xz(labels.substr(9))), 10);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  ExpectSmall(*dataset, 50);
}

TEST(IdxTest, GrowsBeyondTheFirstChunkOfMemory) {
  const TemporaryFolder folder;
  const uint32_t n = 500000;  // 3 MB of rows, read in steps of 1 MiB
  const auto dataset = ReadIdx(folder.Write("i.gz", Gzip(SmallImages(n))),
                               folder.Write("l.gz", Gzip(SmallLabels(n))), 10);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  ExpectSmall(*dataset, n);
}

TEST(IdxTest, TurnsBigEndianShortsIntoLittleEndianRows) {
  const TemporaryFolder folder;
  const std::string payload("\x00\x01\xff\xff\x80\x00\x7f\xff\x01\x02\xfe\xfd", 12);
  const auto dataset = ReadIdx(folder.Write("i", IdxBytes(0x0B, {2, 3}, payload)),
                               folder.Write("l", IdxBytes(0x08, {2}, "\x05\x01")), 6);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->type, ElementType::kInt16);
  EXPECT_EQ(dataset->shape, std::vector<uint32_t>{3});
  EXPECT_EQ(Shorts(*dataset), (std::vector<int16_t>{1, -1, -32768, 32767, 258, -259}));
  EXPECT_EQ(dataset->labels, (std::vector<uint32_t>{5, 1}));
}

TEST(IdxTest, ReadsSignedBytesAndSixteenBitLabels) {
  const TemporaryFolder folder;
  const auto dataset =
      ReadIdx(folder.Write("i", IdxBytes(0x09, {2, 2}, "\x80\xff\x01\x7f")),
              folder.Write("l", IdxBytes(0x0B, {2}, std::string("\x01\x2c\x00\x03", 4))), 301);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->type, ElementType::kInt8);
  EXPECT_EQ(Bytes(*dataset), (std::vector<int>{0x80, 0xff, 0x01, 0x7f}));
  EXPECT_EQ(dataset->labels, (std::vector<uint32_t>{300, 3}));
}

TEST(IdxTest, ReadsBackWhatTheWriterWrote) {
  const TemporaryFolder folder;
  Dataset dataset;
  dataset.shape = {2, 3};
  for (int i = 0; i < 12; ++i) dataset.rows.push_back(static_cast<std::byte>(i));
  dataset.labels = {7, 255};
  ASSERT_TRUE(WriteIdx(dataset, folder.Path("i"), folder.Path("l")).ok());
  EXPECT_EQ(folder.Read("l"), IdxBytes(0x08, {2}, "\x07\xff"));
  const auto read = ReadIdx(folder.Path("i"), folder.Path("l"), 256);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->rows, dataset.rows);
  EXPECT_EQ(read->labels, dataset.labels);
  EXPECT_EQ(read->shape, dataset.shape);
}

TEST(Cifar10Test, ReadsBatchesInOrderPlainAndXz) {
  const TemporaryFolder folder;
  const std::string records = CifarRecords(7);
  const auto dataset =
      ReadCifar10({folder.Write("data_batch_1.bin", records.substr(0, 3 * 3073)),
                   folder.Write("data_batch_2.bin.xz", Xz(records.substr(3 * 3073)))},
                  10);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->shape, (std::vector<uint32_t>{3, 32, 32}));
  EXPECT_EQ(dataset->labels, (std::vector<uint32_t>{0, 1, 2, 3, 4, 5, 6}));
  ASSERT_EQ(dataset->rows.size(), 7u * 3072);
  for (uint32_t i = 0; i < 7; ++i) {
    for (uint32_t j = 0; j < 3072; ++j) {
      ASSERT_EQ(std::to_integer<uint32_t>(dataset->row(i)[j]), (i + j) % 256);
    }
  }
}

TEST(CsvTest, ReadsIntegersWithTheLabelLast) {
  const TemporaryFolder folder;
  const auto dataset =
      ReadCsv(folder.Write("a.csv", "0,255,3\n1, 2 ,0\r\n9,8,1"), ElementType::kUint8, 4);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->shape, std::vector<uint32_t>{2});
  EXPECT_EQ(Bytes(*dataset), (std::vector<int>{0, 255, 1, 2, 9, 8}));
  EXPECT_EQ(dataset->labels, (std::vector<uint32_t>{3, 0, 1}));
}

TEST(CsvTest, SkipsOneHeaderLineAndReadsShorts) {
  const TemporaryFolder folder;
  const auto dataset =
      ReadCsv(folder.Write("a.csv.gz", Gzip("left,right,class\n-32768,32767,1\n-1,258,0\n")),
              ElementType::kInt16, 2);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(Shorts(*dataset), (std::vector<int16_t>{-32768, 32767, -1, 258}));
  EXPECT_EQ(dataset->labels, (std::vector<uint32_t>{1, 0}));
}

TEST(CsvTest, ReadsSignedBytes) {
  const TemporaryFolder folder;
  const auto dataset = ReadCsv(folder.Write("a.csv", "-128,127,0\n"), ElementType::kInt8, 2);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(Bytes(*dataset), (std::vector<int>{0x80, 0x7f}));
}

TEST(CsvTest, LinesAcrossChunkBordersStayWhole) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 30000; ++i) {
    text += std::to_string(i % 256) + "," + std::to_string(i % 7) + "\n";  // 3 chunks of 64 KiB
  }
  const auto dataset = ReadCsv(folder.Write("a.csv", text), ElementType::kUint8, 7);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  ASSERT_EQ(dataset->count(), 30000u);
  for (uint32_t i = 0; i < 30000; ++i) {
    ASSERT_EQ(std::to_integer<uint32_t>(dataset->rows[i]), i % 256);
    ASSERT_EQ(dataset->labels[i], i % 7);
  }
}

}  // namespace
}  // namespace tally
