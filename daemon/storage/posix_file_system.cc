#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/storage/file_system.h"

namespace tally::storage {
namespace {

// Training data may be private: nothing for others, whatever the umask says.
constexpr mode_t kFileMode = 0640;
constexpr mode_t kDirectoryMode = 0750;

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
      return absl::StatusCode::kResourceExhausted;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case EIO:
      return absl::StatusCode::kDataLoss;
    default:
      return absl::StatusCode::kUnknown;
  }
}

std::string ErrorText(std::string_view call, std::string_view path, int error) {
  return text::StrCat(call, " ", path, ": ", std::generic_category().message(error), " (errno ",
                      error, ")");
}

absl::Status ErrorOf(std::string_view call, std::string_view path, int error) {
  return absl::Status(CodeOf(error), ErrorText(call, path, error));
}

// After a failed sync the kernel may have thrown the dirty pages away and marked them clean, so
// that a second sync would succeed with the data gone: there is no retry, whatever the errno.
absl::Status SyncErrorOf(std::string_view call, std::string_view path, int error) {
  return absl::DataLossError(ErrorText(call, path, error));
}

// More than a record of the journal has.
constexpr size_t kPiecesMax = 8;

// Repeats a system call that a signal interrupted.
template <typename Call>
auto Uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  // Linux closes the descriptor even if close reports EINTR: a second close could hit a stranger's.
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

absl::StatusOr<Descriptor> Open(const std::string& path, int flags) {
  const int fd = Uninterrupted([&] { return open(path.c_str(), flags | O_CLOEXEC, kFileMode); });
  if (fd < 0) return ErrorOf("open", path, errno);
  return Descriptor(fd);
}

absl::StatusOr<uint64_t> SizeOf(const Descriptor& file, const std::string& path) {
  struct stat info = {};
  if (fstat(file.get(), &info) != 0) return ErrorOf("stat", path, errno);
  return static_cast<uint64_t>(info.st_size);
}

absl::StatusOr<std::string> ReadAt(const Descriptor& file, const std::string& path, uint64_t offset,
                                   uint64_t size_bytes) {
  std::string bytes(static_cast<size_t>(size_bytes), '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = Uninterrupted([&] {
      return pread(file.get(), bytes.data() + filled, bytes.size() - filled,
                   static_cast<off_t>(offset + filled));
    });
    if (got < 0) return ErrorOf("read", path, errno);
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

class PosixWritableFile final : public WritableFile {
 public:
  PosixWritableFile(Descriptor file, std::string path, uint64_t size_bytes)
      : file_(std::move(file)), path_(std::move(path)), size_bytes_(size_bytes) {}

  absl::Status Append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written =
          Uninterrupted([&] { return write(file_.get(), bytes.data(), bytes.size()); });
      if (written < 0) return ErrorOf("write", path_, errno);
      if (written == 0) return absl::UnknownError(text::StrCat("write ", path_, ": wrote nothing"));
      size_bytes_ += static_cast<uint64_t>(written);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  // One call of the kernel unless it takes only a part; then the rest follows in order.
  absl::Status AppendPieces(std::span<const std::string_view> pieces) override {
    if (pieces.size() > kPiecesMax) return WritableFile::AppendPieces(pieces);
    iovec vectors[kPiecesMax];
    size_t wanted = 0;
    for (size_t i = 0; i < pieces.size(); ++i) {
      vectors[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
      wanted += pieces[i].size();
    }
    const ssize_t result = Uninterrupted(
        [&] { return writev(file_.get(), vectors, static_cast<int>(pieces.size())); });
    if (result < 0) return ErrorOf("write", path_, errno);
    size_t written = static_cast<size_t>(result);
    size_bytes_ += written;
    if (written == wanted) return absl::OkStatus();
    for (const std::string_view piece : pieces) {
      const size_t passed = std::min(written, piece.size());
      written -= passed;
      TALLY_RETURN_IF_ERROR(Append(piece.substr(passed)));
    }
    return absl::OkStatus();
  }

  // The descriptor is in append mode, so later writes continue at the new end.
  absl::Status Truncate(uint64_t size_bytes) override {
    if (Uninterrupted([&] { return ftruncate(file_.get(), static_cast<off_t>(size_bytes)); }) !=
        0) {
      return ErrorOf("truncate", path_, errno);
    }
    size_bytes_ = size_bytes;
    return absl::OkStatus();
  }

  // fdatasync writes the size too when it grew; only times are left out.
  absl::Status Sync() override {
    if (Uninterrupted([&] { return fdatasync(file_.get()); }) != 0) {
      return SyncErrorOf("fdatasync", path_, errno);
    }
    return absl::OkStatus();
  }

  uint64_t size_bytes() const override { return size_bytes_; }

 private:
  const Descriptor file_;
  const std::string path_;
  uint64_t size_bytes_;
};

// flock belongs to the open file: closing the descriptor, or the end of the process, releases it.
class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(Descriptor file) : file_(std::move(file)) {}

 private:
  const Descriptor file_;
};

class KernelFileSystem final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<WritableFile>> CreateExclusive(const std::string& path) override {
    TALLY_ASSIGN_OR_RETURN(Descriptor file, Open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL));
    return std::make_unique<PosixWritableFile>(std::move(file), path, 0);
  }

  absl::StatusOr<std::unique_ptr<WritableFile>> OpenForAppend(const std::string& path) override {
    TALLY_ASSIGN_OR_RETURN(Descriptor file, Open(path, O_WRONLY | O_APPEND));
    TALLY_ASSIGN_OR_RETURN(const uint64_t size_bytes, SizeOf(file, path));
    return std::make_unique<PosixWritableFile>(std::move(file), path, size_bytes);
  }

  absl::Status CreateDirectory(const std::string& path) override {
    if (mkdir(path.c_str(), kDirectoryMode) == 0) return absl::OkStatus();
    const int error = errno;
    if (error == EEXIST && IsDirectory(path).value_or(false)) return absl::OkStatus();
    return ErrorOf("mkdir", path, error);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
    return ErrorOf("rename", text::StrCat(from, " to ", to), errno);
  }

  absl::Status RemoveFile(const std::string& path) override {
    if (unlink(path.c_str()) == 0) return absl::OkStatus();
    return ErrorOf("unlink", path, errno);
  }

  absl::Status RemoveDirectory(const std::string& path) override {
    if (rmdir(path.c_str()) == 0) return absl::OkStatus();
    return ErrorOf("rmdir", path, errno);
  }

  absl::Status SyncDirectory(const std::string& path) override {
    TALLY_ASSIGN_OR_RETURN(const Descriptor directory, Open(path, O_RDONLY | O_DIRECTORY));
    if (Uninterrupted([&] { return fsync(directory.get()); }) != 0) {
      return SyncErrorOf("fsync", path, errno);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path,
                                                 std::string_view holder) override {
    TALLY_ASSIGN_OR_RETURN(Descriptor file, Open(path, O_RDWR | O_CREAT));
    if (Uninterrupted([&] { return flock(file.get(), LOCK_EX | LOCK_NB); }) != 0) {
      const int error = errno;
      if (error != EWOULDBLOCK) return ErrorOf("flock", path, error);
      TALLY_ASSIGN_OR_RETURN(const std::string other, ReadAt(file, path, 0, 4096));
      return absl::UnavailableError(
          text::StrCat(path, " is locked by ", other.empty() ? "another process" : other));
    }
    if (Uninterrupted([&] { return ftruncate(file.get(), 0); }) != 0) {
      return ErrorOf("truncate", path, errno);
    }
    const ssize_t written =
        Uninterrupted([&] { return pwrite(file.get(), holder.data(), holder.size(), 0); });
    // The text only helps a person; the lock is what counts. A full disk must not stop a daemon
    // that can still serve.
    if (written < 0 && errno != ENOSPC && errno != EDQUOT) return ErrorOf("write", path, errno);
    return std::make_unique<PosixFileLock>(std::move(file));
  }

  absl::StatusOr<std::string> ReadFile(const std::string& path) override {
    TALLY_ASSIGN_OR_RETURN(const Descriptor file, Open(path, O_RDONLY));
    TALLY_ASSIGN_OR_RETURN(const uint64_t size_bytes, SizeOf(file, path));
    return ReadAt(file, path, 0, size_bytes);
  }

  absl::StatusOr<std::string> ReadRange(const std::string& path, uint64_t offset,
                                        uint64_t size_bytes) override {
    TALLY_ASSIGN_OR_RETURN(const Descriptor file, Open(path, O_RDONLY));
    return ReadAt(file, path, offset, size_bytes);
  }

  absl::StatusOr<uint64_t> FileSize(const std::string& path) override {
    struct stat info = {};
    if (stat(path.c_str(), &info) != 0) return ErrorOf("stat", path, errno);
    return static_cast<uint64_t>(info.st_size);
  }

  absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) override {
    DIR* const directory = opendir(path.c_str());
    if (directory == nullptr) return ErrorOf("opendir", path, errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = readdir(directory)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    const int error = errno;
    closedir(directory);
    if (error != 0) return ErrorOf("readdir", path, error);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::StatusOr<bool> IsDirectory(const std::string& path) override {
    struct stat info = {};
    if (stat(path.c_str(), &info) != 0) return ErrorOf("stat", path, errno);
    return S_ISDIR(info.st_mode);
  }
};

}  // namespace

absl::Status WritableFile::AppendPieces(std::span<const std::string_view> pieces) {
  std::string bytes;
  for (const std::string_view piece : pieces) bytes.append(piece);
  return Append(bytes);
}

FileSystem& PosixFileSystem() {
  static KernelFileSystem file_system;
  return file_system;
}

}  // namespace tally::storage
