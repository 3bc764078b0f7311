#include "client/datasets/cifar10.h"

#include <array>

#include "client/datasets/byte_source.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally {
namespace {

constexpr size_t kPixelBytes = 3 * 32 * 32;
constexpr size_t kRecordBytes = 1 + kPixelBytes;

absl::Status AppendFile(const std::string& path, uint32_t classes, Dataset& dataset) {
  TALLY_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(path));
  std::array<std::byte, kRecordBytes> record;
  for (uint64_t index = 0;; ++index) {
    const uint64_t start = file.offset();
    TALLY_ASSIGN_OR_RETURN(const size_t n, file.ReadUpTo(record));
    if (n == 0 && index == 0) {
      return absl::InvalidArgumentError(text::StrCat(path, ": the file holds no samples"));
    }
    if (n == 0) return absl::OkStatus();
    if (n < kRecordBytes) {
      return absl::InvalidArgumentError(
          text::StrCat(path, ": truncated at byte ", start + n, ": record ", index, " needs ",
                       kRecordBytes, " bytes from byte ", start, ", ", n, " are there"));
    }
    const auto label = std::to_integer<uint32_t>(record[0]);
    if (label >= classes) {
      return absl::InvalidArgumentError(text::StrCat(path, ": byte ", start, ": label ", label,
                                                     " of record ", index, ", expected 0 to ",
                                                     classes - 1));
    }
    if (dataset.rows.size() + kPixelBytes > kDatasetBytesMax) {
      return absl::InvalidArgumentError(text::StrCat(path, ": byte ", start, ": more than ",
                                                     kDatasetBytesMax,
                                                     " bytes of samples; split the data set"));
    }
    dataset.labels.push_back(label);
    dataset.rows.insert(dataset.rows.end(), record.begin() + 1, record.end());
  }
}

}  // namespace

absl::StatusOr<Dataset> ReadCifar10(const std::vector<std::string>& paths, uint32_t classes) {
  Dataset dataset;
  dataset.shape = {3, 32, 32};
  dataset.type = ElementType::kUint8;
  for (const std::string& path : paths) {
    TALLY_RETURN_IF_ERROR(AppendFile(path, classes, dataset));
  }
  return dataset;
}

}  // namespace tally
