// Goal: --data DIR finds every standard set of file names, and says what it looked for when it
// finds none. Method: folders of empty files with those names; the real data sets when
// TALLY_DATA_DIR has them.

#include "client/datasets/find_dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/temporary_folder.h"

namespace tally {
namespace {

std::string Name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

struct Layout {
  const char* name;
  std::vector<const char*> files;
  DatasetFormat format;
  std::vector<const char*> train;  // samples, then labels if there are any
  std::vector<const char*> test;
};

void PrintTo(const Layout& layout, std::ostream* out) { *out << layout.name; }

class FindDatasetTest : public testing::TestWithParam<Layout> {};

void ExpectPart(const std::optional<DatasetPart>& part, const Layout& layout,
                const std::vector<const char*>& expected) {
  ASSERT_EQ(part.has_value(), !expected.empty());
  if (!part.has_value()) return;
  EXPECT_EQ(part->format, layout.format);
  std::vector<std::string> names;
  for (const std::string& path : part->samples) names.push_back(Name(path));
  if (!part->labels.empty()) names.push_back(Name(part->labels));
  EXPECT_EQ(names, std::vector<std::string>(expected.begin(), expected.end()));
}

TEST_P(FindDatasetTest, FindsBothHalves) {
  const TemporaryFolder folder;
  for (const char* const file : GetParam().files) folder.Write(file, "");
  const auto files = FindDataset(folder.path() + "/");
  ASSERT_TRUE(files.ok()) << files.status();
  ExpectPart(files->train, GetParam(), GetParam().train);
  ExpectPart(files->test, GetParam(), GetParam().test);
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, FindDatasetTest,
    testing::Values(Layout{"Mnist",
                           {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                            "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
                           DatasetFormat::kIdx,
                           {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
                           {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}},
                    Layout{"MnistGzipWithDots",
                           {"train-images.idx3-ubyte.gz", "train-labels.idx1-ubyte.gz"},
                           DatasetFormat::kIdx,
                           {"train-images.idx3-ubyte.gz", "train-labels.idx1-ubyte.gz"},
                           {}},
                    Layout{"Windows",
                           {"train-windows-idx3-short.gz", "train-labels-idx1-ubyte.gz",
                            "test-windows-idx3-short.gz", "test-labels-idx1-ubyte.gz"},
                           DatasetFormat::kIdx,
                           {"train-windows-idx3-short.gz", "train-labels-idx1-ubyte.gz"},
                           {"test-windows-idx3-short.gz", "test-labels-idx1-ubyte.gz"}},
                    Layout{"TestOnly",
                           {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
                           DatasetFormat::kIdx,
                           {},
                           {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}},
                    Layout{"Cifar10",
                           {"data_batch_2.bin.xz", "data_batch_1.bin.xz", "data_batch_3.bin",
                            "test_batch.bin.xz", "batches.meta.txt"},
                           DatasetFormat::kCifar10,
                           {"data_batch_1.bin.xz", "data_batch_2.bin.xz", "data_batch_3.bin"},
                           {"test_batch.bin.xz"}},
                    Layout{"Csv",
                           {"train.csv", "test.csv.gz"},
                           DatasetFormat::kCsv,
                           {"train.csv"},
                           {"test.csv.gz"}},
                    Layout{"Uci",
                           {"optdigits.tra", "optdigits.tes", "optdigits.names"},
                           DatasetFormat::kCsv,
                           {"optdigits.tra"},
                           {"optdigits.tes"}}),
    [](const auto& info) { return info.param.name; });

absl::Status Find(const std::vector<const char*>& names) {
  const TemporaryFolder folder;
  for (const char* const name : names) folder.Write(name, "");
  return FindDataset(folder.path()).status();
}

TEST(FindDatasetErrorTest, SaysWhatItLookedFor) {
  const absl::Status status = Find({"readme.txt"});
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  for (const char* const part :
       {"train-images-idx3-ubyte", "data_batch_1.bin", "train.csv", "*.tra"}) {
    EXPECT_NE(status.message().find(part), absl::string_view::npos) << status;
  }
}

TEST(FindDatasetErrorTest, NamesTheFolderThatIsNotThere) {
  const TemporaryFolder folder;
  const absl::Status status = FindDataset(folder.Path("gone")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("/gone"), absl::string_view::npos) << status;
}

TEST(FindDatasetErrorTest, RefusesSamplesWithoutLabels) {
  const absl::Status status = Find({"train-images-idx3-ubyte"});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("train-labels-idx1-ubyte"), absl::string_view::npos) << status;
}

TEST(FindDatasetErrorTest, RefusesAGapAmongTheBatches) {
  for (const auto& names : {std::vector<const char*>{"data_batch_1.bin", "data_batch_3.bin"},
                            std::vector<const char*>{"data_batch_2.bin", "data_batch_3.bin"}}) {
    EXPECT_EQ(Find(names).code(), absl::StatusCode::kInvalidArgument);
  }
  const absl::Status status = Find({"data_batch_1.bin", "data_batch_4.bin"});
  EXPECT_NE(status.message().find("data_batch_2.bin is missing"), absl::string_view::npos)
      << status;
}

TEST(FindDatasetErrorTest, RefusesSeveralCsvFiles) {
  const absl::Status status = Find({"a.tra", "b.tra"});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("--images"), absl::string_view::npos) << status;
}

struct RealData {
  const char* folder;
  ElementType type;
  std::vector<uint32_t> shape;
  uint32_t classes;
  uint32_t train;
  uint32_t test;
};

void PrintTo(const RealData& data, std::ostream* out) { *out << data.folder; }

class RealDataTest : public testing::TestWithParam<RealData> {};

TEST_P(RealDataTest, HasItsPublishedShapeAndEveryClass) {
  const char* const root = std::getenv("TALLY_DATA_DIR");
  const std::string folder = std::string(root == nullptr ? "" : root) + "/" + GetParam().folder;
  if (root == nullptr || !std::filesystem::is_directory(folder)) {
    GTEST_SKIP() << GetParam().folder << " is not in TALLY_DATA_DIR";
  }
  const auto files = FindDataset(folder);
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_TRUE(files->train.has_value() && files->test.has_value());
  for (const bool train : {true, false}) {
    if (train && files->train->samples.size() > 1 && std::getenv("TALLY_LONG") == nullptr) {
      continue;  // decompressing the five batches takes many seconds
    }
    const auto dataset = ReadDataset(train ? *files->train : *files->test,
                                     {ElementType::kUint8, GetParam().classes});
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    EXPECT_EQ(dataset->type, GetParam().type);
    EXPECT_EQ(dataset->shape, GetParam().shape);
    EXPECT_EQ(dataset->count(), train ? GetParam().train : GetParam().test);
    EXPECT_EQ(dataset->rows.size(), dataset->count() * dataset->row_bytes());
    EXPECT_EQ(std::set<uint32_t>(dataset->labels.begin(), dataset->labels.end()).size(),
              GetParam().classes);
  }
}

INSTANTIATE_TEST_SUITE_P(
    DataSets, RealDataTest,
    testing::Values(RealData{"mnist", ElementType::kUint8, {28, 28}, 10, 60000, 10000},
                    RealData{"fashion-mnist", ElementType::kUint8, {28, 28}, 10, 60000, 10000},
                    RealData{"cifar-10", ElementType::kUint8, {3, 32, 32}, 10, 49914, 9975},
                    RealData{"optdigits", ElementType::kUint8, {64}, 10, 3823, 1797},
                    RealData{"uci-har", ElementType::kInt16, {9, 128}, 6, 1307, 627}),
    [](const auto& info) {
      std::string name = info.param.folder;
      std::erase(name, '-');
      return name;
    });

}  // namespace
}  // namespace tally
