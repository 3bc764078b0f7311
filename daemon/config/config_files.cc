#include "daemon/config/config_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::config {
namespace {

constexpr size_t kFileBytesMax = size_t{16} << 20;
constexpr char kDropInFolder[] = "conf.d";

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

absl::Status CannotRead(const std::string& path, int error) {
  const std::string message = text::StrCat("cannot read ", path, ": ", std::strerror(error));
  return error == ENOENT ? absl::NotFoundError(message) : absl::InvalidArgumentError(message);
}

// Names of the drop-ins in `folder`, in order. The order is that of the bytes, not of a locale: the
// same files mean the same configuration everywhere.
absl::StatusOr<std::vector<std::string>> DropInNames(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(folder.c_str()), closedir);
  if (directory == nullptr) {
    if (errno == ENOENT) return names;
    return CannotRead(folder, errno);
  }
  while (true) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name.ends_with(".yaml") && !name.starts_with('.')) names.push_back(name);
  }
  if (errno != 0) return CannotRead(folder, errno);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return CannotRead(path, errno);
  std::string text;
  std::array<char, 16384> buffer;
  ssize_t count = 0;
  while ((count = read(fd, buffer.data(), buffer.size())) > 0 && text.size() <= kFileBytesMax) {
    text.append(buffer.data(), static_cast<size_t>(count));
  }
  const int error = errno;
  close(fd);
  if (count < 0) return CannotRead(path, error);
  if (text.size() > kFileBytesMax) {
    return absl::InvalidArgumentError(text::StrCat(path, " is larger than 16 MiB"));
  }
  return text;
}

absl::StatusOr<ConfigSources> ReadConfigFiles(const std::string& file_name, bool required) {
  ConfigSources sources;
  sources.folder = FolderOf(file_name);
  absl::StatusOr<std::string> yaml = ReadWholeFile(file_name);
  if (yaml.ok()) {
    sources.file = {file_name, *std::move(yaml)};
  } else if (required || !absl::IsNotFound(yaml.status())) {
    return yaml.status();
  }
  const std::string drop_ins = sources.folder + kDropInFolder;
  TALLY_ASSIGN_OR_RETURN(const std::vector<std::string> names, DropInNames(drop_ins));
  for (const std::string& name : names) {
    const std::string path = text::StrCat(drop_ins, "/", name);
    TALLY_ASSIGN_OR_RETURN(std::string text, ReadWholeFile(path));
    sources.drop_ins.push_back({path, std::move(text)});
  }
  return sources;
}

}  // namespace tally::config
