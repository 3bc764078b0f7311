#include "client/datasets/idx_writer.h"

#include <cerrno>
#include <fstream>
#include <vector>

#include "core/arithmetic/check.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally {
namespace {

constexpr char kUint8Code = 0x08;

std::string Header(const std::vector<uint32_t>& dimensions) {
  std::string header = {0, 0, kUint8Code, static_cast<char>(dimensions.size())};
  for (const uint32_t dimension : dimensions) {
    for (const int shift : {24, 16, 8, 0}) {
      header += static_cast<char>(dimension >> shift & 0xff);
    }
  }
  return header;
}

absl::Status WriteFile(const std::string& path, const std::string& header, const char* data,
                       size_t size_bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << header;
  file.write(data, static_cast<std::streamsize>(size_bytes));
  file.close();
  if (file.good()) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, text::StrCat("cannot write ", path));
}

}  // namespace

absl::Status WriteIdx(const Dataset& dataset, const std::string& samples_path,
                      const std::string& labels_path) {
  TALLY_CHECK(dataset.type == ElementType::kUint8);
  std::vector<uint32_t> dimensions = {dataset.count()};
  dimensions.insert(dimensions.end(), dataset.shape.begin(), dataset.shape.end());
  TALLY_RETURN_IF_ERROR(WriteFile(samples_path, Header(dimensions),
                                  reinterpret_cast<const char*>(dataset.rows.data()),
                                  dataset.rows.size()));
  std::string labels;
  for (const uint32_t label : dataset.labels) {
    TALLY_CHECK(label < 256);
    labels += static_cast<char>(label);
  }
  return WriteFile(labels_path, Header({dataset.count()}), labels.data(), labels.size());
}

}  // namespace tally
