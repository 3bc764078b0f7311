#include "client/datasets/byte_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally {
namespace {

constexpr std::array<unsigned char, 2> kGzipMagic = {0x1f, 0x8b};
constexpr std::array<unsigned char, 6> kXzMagic = {0xfd, '7', 'z', 'X', 'Z', 0};
// What ReadVector asks for at first; doubled as the bytes come.
constexpr size_t kFirstReadBytes = size_t{1} << 20;

class PlainSource : public ByteSource {
 public:
  PlainSource(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  ~PlainSource() override { close(fd_); }
  PlainSource(const PlainSource&) = delete;
  PlainSource& operator=(const PlainSource&) = delete;

  absl::StatusOr<size_t> Read(std::span<std::byte> out) override {
    for (;;) {
      const ssize_t n = read(fd_, out.data(), out.size());
      if (n >= 0) return static_cast<size_t>(n);
      if (errno == EISDIR) {
        return absl::InvalidArgumentError(text::StrCat(name_, " is a folder, expected a file"));
      }
      if (errno != EINTR) return absl::ErrnoToStatus(errno, text::StrCat("cannot read ", name_));
    }
  }

 private:
  int fd_;
  std::string name_;
};

// Gives back the bytes that were read to recognise the format, then the rest.
class PrefixedSource : public ByteSource {
 public:
  PrefixedSource(std::vector<std::byte> prefix, std::unique_ptr<ByteSource> rest)
      : prefix_(std::move(prefix)), rest_(std::move(rest)) {}

  absl::StatusOr<size_t> Read(std::span<std::byte> out) override {
    if (used_ == prefix_.size()) return rest_->Read(out);
    const size_t n = std::min(out.size(), prefix_.size() - used_);
    std::memcpy(out.data(), prefix_.data() + used_, n);
    used_ += n;
    return n;
  }

 private:
  std::vector<std::byte> prefix_;
  std::unique_ptr<ByteSource> rest_;
  size_t used_ = 0;
};

absl::StatusOr<size_t> ReadFully(ByteSource& source, std::span<std::byte> out) {
  size_t filled = 0;
  while (filled < out.size()) {
    TALLY_ASSIGN_OR_RETURN(const size_t n, source.Read(out.subspan(filled)));
    if (n == 0) break;
    filled += n;
  }
  return filled;
}

bool StartsWith(std::span<const std::byte> bytes, std::span<const unsigned char> magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

absl::Status WrongSuffix(const std::string& path, std::string_view format) {
  return absl::InvalidArgumentError(
      text::StrCat(path, ": the name says ", format, ", but the bytes are not ", format, " data"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ByteSource>> OpenByteSource(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, text::StrCat("cannot open ", path));
  std::unique_ptr<ByteSource> file = std::make_unique<PlainSource>(fd, path);
  std::vector<std::byte> head(kXzMagic.size());
  TALLY_ASSIGN_OR_RETURN(const size_t head_bytes, ReadFully(*file, head));
  head.resize(head_bytes);
  const bool gzip = StartsWith(head, kGzipMagic);
  const bool xz = StartsWith(head, kXzMagic);
  if (path.ends_with(".gz") && !gzip) return WrongSuffix(path, "gzip");
  if (path.ends_with(".xz") && !xz) return WrongSuffix(path, "xz");
  file = std::make_unique<PrefixedSource>(std::move(head), std::move(file));
  if (gzip) return MakeGzipSource(std::move(file), path);
  if (xz) return MakeXzSource(std::move(file), path);
  return file;
}

absl::StatusOr<InputFile> InputFile::Open(const std::string& path) {
  TALLY_ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, OpenByteSource(path));
  return InputFile(path, std::move(source));
}

absl::StatusOr<size_t> InputFile::ReadUpTo(std::span<std::byte> out) {
  TALLY_ASSIGN_OR_RETURN(const size_t n, ReadFully(*source_, out));
  offset_ += n;
  return n;
}

absl::Status InputFile::ReadExactly(std::span<std::byte> out, std::string_view what) {
  const uint64_t start = offset_;
  TALLY_ASSIGN_OR_RETURN(const size_t n, ReadUpTo(out));
  if (n == out.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(text::StrCat(name_, ": truncated at byte ", offset_, ": ", what,
                                                 " needs ", out.size(), " bytes from byte ", start,
                                                 ", ", n, " are there"));
}

absl::Status InputFile::ReadVector(uint64_t size_bytes, std::string_view what,
                                   std::vector<std::byte>& out) {
  const uint64_t start = offset_;
  out.clear();
  while (out.size() < size_bytes) {
    const size_t filled = out.size();
    const uint64_t step = std::max(kFirstReadBytes, filled);
    out.resize(static_cast<size_t>(std::min<uint64_t>(size_bytes, filled + step)));
    TALLY_ASSIGN_OR_RETURN(const size_t n, ReadUpTo(std::span(out).subspan(filled)));
    if (filled + n < out.size()) {
      return absl::InvalidArgumentError(
          text::StrCat(name_, ": truncated at byte ", offset_, ": ", what, " needs ", size_bytes,
                       " bytes from byte ", start, ", ", filled + n, " are there"));
    }
  }
  return absl::OkStatus();
}

absl::Status InputFile::ExpectEnd() {
  std::array<std::byte, 1> extra;
  TALLY_ASSIGN_OR_RETURN(const size_t n, ReadUpTo(extra));
  if (n == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(text::StrCat(name_, ": trailing bytes from byte ", offset_ - 1,
                                                 " on, expected the end of the file"));
}

}  // namespace tally
