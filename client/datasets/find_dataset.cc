#include "client/datasets/find_dataset.h"

#include <dirent.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <set>
#include <string_view>

#include "client/datasets/cifar10.h"
#include "client/datasets/csv.h"
#include "client/datasets/idx.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally {
namespace {

constexpr std::array<std::string_view, 3> kCompressions = {"", ".gz", ".xz"};

constexpr std::string_view kLookedFor =
    "train-images-idx3-ubyte and train-labels-idx1-ubyte (IDX; test files t10k-... or test-...), "
    "train-windows-idx3-short (IDX, 16 bits), data_batch_1.bin and test_batch.bin (CIFAR-10), "
    "train.csv "
    "and test.csv, *.tra and *.tes, each also with .gz or .xz";

std::string_view WithoutCompression(std::string_view name) {
  for (const std::string_view compression : {".gz", ".xz"}) {
    if (name.ends_with(compression)) return name.substr(0, name.size() - compression.size());
  }
  return name;
}

// The names in one folder.
class Folder {
 public:
  static absl::StatusOr<Folder> List(const std::string& path) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
    if (directory == nullptr) {
      return absl::ErrnoToStatus(errno, text::StrCat("cannot open the data folder ", path));
    }
    Folder folder(path);
    while (true) {
      errno = 0;
      const dirent* const entry = readdir(directory.get());
      if (entry == nullptr) break;
      folder.names_.insert(entry->d_name);
    }
    if (errno != 0) {
      return absl::ErrnoToStatus(errno, text::StrCat("cannot list the data folder ", path));
    }
    return folder;
  }

  const std::string& path() const { return path_; }
  std::string Path(const std::string& name) const { return text::StrCat(path_, "/", name); }

  // The path of `name`, with or without a compression's suffix; "" if absent.
  std::string Find(std::string_view name) const {
    for (const std::string_view compression : kCompressions) {
      const std::string candidate = text::StrCat(name, compression);
      if (names_.contains(candidate)) return Path(candidate);
    }
    return "";
  }

  // Different names `prefix`*`suffix`, whatever their compression.
  size_t CountUncompressed(std::string_view prefix, std::string_view suffix) const {
    std::set<std::string_view> found;
    for (const std::string& name : names_) {
      const std::string_view plain = WithoutCompression(name);
      if (plain.starts_with(prefix) && plain.ends_with(suffix)) found.insert(plain);
    }
    return found.size();
  }

  // All names that end in `suffix`, with or without a compression's suffix, sorted.
  std::vector<std::string> WithSuffix(std::string_view suffix) const {
    std::vector<std::string> found;
    for (const std::string& name : names_) {
      if (WithoutCompression(name).ends_with(suffix)) found.push_back(Path(name));
    }
    return found;
  }

 private:
  explicit Folder(std::string path) : path_(std::move(path)) {
    while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
  }

  std::string path_;
  std::set<std::string> names_;
};

using MaybePart = absl::StatusOr<std::optional<DatasetPart>>;

std::string FindIdxLabels(const Folder& folder, std::string_view half) {
  for (const std::string_view separator : {"-", "."}) {
    for (const std::string_view type : {"ubyte", "short"}) {
      std::string path = folder.Find(text::StrCat(half, "-labels", separator, "idx1-", type));
      if (!path.empty()) return path;
    }
  }
  return "";
}

MaybePart FindIdx(const Folder& folder, std::string_view half) {
  for (const std::string_view kind : {"images", "windows"}) {
    for (const std::string_view separator : {"-", "."}) {
      for (const std::string_view type : {"ubyte", "short"}) {
        std::string samples = folder.Find(text::StrCat(half, "-", kind, separator, "idx3-", type));
        if (samples.empty()) continue;
        std::string labels = FindIdxLabels(folder, half);
        if (labels.empty()) {
          return absl::InvalidArgumentError(
              text::StrCat(samples, " has no labels beside it: expected ", half,
                           "-labels-idx1-ubyte (also .gz or .xz)"));
        }
        return DatasetPart{DatasetFormat::kIdx, {std::move(samples)}, std::move(labels)};
      }
    }
  }
  return std::nullopt;
}

MaybePart FindCifar10Batches(const Folder& folder) {
  DatasetPart part{DatasetFormat::kCifar10, {}, ""};
  const size_t batches = folder.CountUncompressed("data_batch_", ".bin");
  for (size_t i = 1; i <= batches; ++i) {
    std::string path = folder.Find(text::StrCat("data_batch_", i, ".bin"));
    if (path.empty()) {
      return absl::InvalidArgumentError(text::StrCat(folder.path(), ": there are ", batches,
                                                     " files data_batch_*.bin, but data_batch_", i,
                                                     ".bin is missing"));
    }
    part.samples.push_back(std::move(path));
  }
  if (part.samples.empty()) return std::nullopt;
  return part;
}

MaybePart FindCifar10Test(const Folder& folder) {
  std::string path = folder.Find("test_batch.bin");
  if (path.empty()) return std::nullopt;
  return DatasetPart{DatasetFormat::kCifar10, {std::move(path)}, ""};
}

MaybePart FindCsv(const Folder& folder, std::string_view name, std::string_view suffix) {
  std::string path = folder.Find(name);
  if (path.empty()) {
    std::vector<std::string> found = folder.WithSuffix(suffix);
    if (found.size() > 1) {
      return absl::InvalidArgumentError(text::StrCat(folder.path(), ": several ", suffix,
                                                     " files: ", found[0], ", ", found[1],
                                                     "; name one with --images"));
    }
    if (!found.empty()) path = std::move(found.front());
  }
  if (path.empty()) return std::nullopt;
  return DatasetPart{DatasetFormat::kCsv, {std::move(path)}, ""};
}

absl::StatusOr<DatasetFiles> FindIdxFiles(const Folder& folder) {
  DatasetFiles files;
  TALLY_ASSIGN_OR_RETURN(files.train, FindIdx(folder, "train"));
  TALLY_ASSIGN_OR_RETURN(files.test, FindIdx(folder, "t10k"));
  if (!files.test.has_value()) {
    TALLY_ASSIGN_OR_RETURN(files.test, FindIdx(folder, "test"));
  }
  return files;
}

absl::StatusOr<DatasetFiles> FindCifar10Files(const Folder& folder) {
  DatasetFiles files;
  TALLY_ASSIGN_OR_RETURN(files.train, FindCifar10Batches(folder));
  TALLY_ASSIGN_OR_RETURN(files.test, FindCifar10Test(folder));
  return files;
}

absl::StatusOr<DatasetFiles> FindCsvFiles(const Folder& folder) {
  DatasetFiles files;
  TALLY_ASSIGN_OR_RETURN(files.train, FindCsv(folder, "train.csv", ".tra"));
  TALLY_ASSIGN_OR_RETURN(files.test, FindCsv(folder, "test.csv", ".tes"));
  return files;
}

}  // namespace

absl::StatusOr<DatasetFiles> FindDataset(const std::string& directory) {
  TALLY_ASSIGN_OR_RETURN(const Folder folder, Folder::List(directory));
  for (const auto find : {FindIdxFiles, FindCifar10Files, FindCsvFiles}) {
    TALLY_ASSIGN_OR_RETURN(DatasetFiles files, find(folder));
    if (files.train.has_value() || files.test.has_value()) return files;
  }
  return absl::NotFoundError(
      text::StrCat(folder.path(), ": no data set found; looked for ", kLookedFor));
}

absl::StatusOr<DatasetPart> PartFromFiles(const std::string& samples, const std::string& labels) {
  if (!labels.empty()) return DatasetPart{DatasetFormat::kIdx, {samples}, labels};
  const std::string_view name = WithoutCompression(samples);
  if (name.ends_with(".bin")) return DatasetPart{DatasetFormat::kCifar10, {samples}, ""};
  for (const std::string_view suffix : {".csv", ".tra", ".tes", ".data"}) {
    if (name.ends_with(suffix)) return DatasetPart{DatasetFormat::kCsv, {samples}, ""};
  }
  return absl::InvalidArgumentError(
      text::StrCat(samples,
                   ": the name is neither CSV (.csv, .tra, .tes, .data) nor CIFAR-10 (.bin); IDX "
                   "samples need a file of labels"));
}

absl::StatusOr<Dataset> ReadDataset(const DatasetPart& part, const ReadOptions& options) {
  switch (part.format) {
    case DatasetFormat::kIdx:
      return ReadIdx(part.samples.front(), part.labels, options.classes);
    case DatasetFormat::kCifar10:
      return ReadCifar10(part.samples, options.classes);
    case DatasetFormat::kCsv:
      return ReadCsv(part.samples.front(), options.csv_type, options.classes);
  }
  return absl::InternalError("unknown data set format");
}

}  // namespace tally
