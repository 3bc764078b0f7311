#include "daemon/storage/whole_file.h"

#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::storage {
namespace {

constexpr size_t kCompareBytes = 1 << 20;

absl::Status WriteAndSync(FileSystem& fs, const std::string& path, std::string_view bytes) {
  TALLY_ASSIGN_OR_RETURN(const auto file, fs.CreateExclusive(path));
  TALLY_RETURN_IF_ERROR(file->Append(bytes));
  return file->Sync();
}

// What the file system gives back may differ from what it was given: better to learn that while
// what the file replaces is still there.
absl::Status CheckContent(FileSystem& fs, const std::string& path, std::string_view bytes) {
  TALLY_ASSIGN_OR_RETURN(const uint64_t size_bytes, fs.FileSize(path));
  if (size_bytes != bytes.size()) {
    return absl::DataLossError(text::StrCat(path, ": wrote ", bytes.size(), " bytes, found ",
                                            size_bytes, ": the disk is not to be trusted"));
  }
  for (size_t offset = 0; offset < bytes.size(); offset += kCompareBytes) {
    TALLY_ASSIGN_OR_RETURN(const std::string found, fs.ReadRange(path, offset, kCompareBytes));
    if (found != bytes.substr(offset, kCompareBytes)) {
      return absl::DataLossError(text::StrCat(path, ": reads back differently between bytes ",
                                              offset, " and ", offset + found.size(),
                                              ": the disk is not to be trusted"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteWholeFile(FileSystem& fs, const std::string& path, std::string_view bytes) {
  const std::string unfinished = text::StrCat(path, kUnfinishedSuffix);
  const absl::Status stale = fs.RemoveFile(unfinished);
  if (!stale.ok() && !absl::IsNotFound(stale)) return stale;
  absl::Status status = WriteAndSync(fs, unfinished, bytes);
  if (status.ok()) status = CheckContent(fs, unfinished, bytes);
  if (status.ok()) status = fs.Rename(unfinished, path);
  // Gives the space back at once; if that fails too, the next attempt or start does it.
  if (!status.ok()) fs.RemoveFile(unfinished).IgnoreError();
  return status;
}

absl::Status SetFileAside(FileSystem& fs, const std::string& path) {
  // An earlier damaged file of the same name is kept too.
  std::string target = text::StrCat(path, ".damaged");
  for (uint32_t i = 2; fs.FileSize(target).ok(); ++i) {
    target = text::StrCat(path, ".damaged.", i);
  }
  return fs.Rename(path, target);
}

}  // namespace tally::storage
