// Bytes of a file, decompressed on the way if it is gzip or xz.

#ifndef TALLY_CLIENT_DATASETS_BYTE_SOURCE_H_
#define TALLY_CLIENT_DATASETS_BYTE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tally {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills the beginning of `out` (not empty) and returns how many bytes; 0 only at the end.
  // DATA_LOSS for damaged compression, otherwise as the system says.
  virtual absl::StatusOr<size_t> Read(std::span<std::byte> out) = 0;
};

// The file's bytes. Compression is recognised by the first bytes; a name that ends in .gz or .xz
// while the bytes are something else is INVALID_ARGUMENT. NOT_FOUND and the like as the system
// says.
absl::StatusOr<std::unique_ptr<ByteSource>> OpenByteSource(const std::string& path);

// The decompressors; `compressed` begins with its format's magic. `name` is for messages.
std::unique_ptr<ByteSource> MakeGzipSource(std::unique_ptr<ByteSource> compressed,
                                           std::string name);
std::unique_ptr<ByteSource> MakeXzSource(std::unique_ptr<ByteSource> compressed, std::string name);

// A reader that knows its place and says so when the bytes end early.
class InputFile {
 public:
  static absl::StatusOr<InputFile> Open(const std::string& path);

  const std::string& name() const { return name_; }
  uint64_t offset() const { return offset_; }  // in the decompressed bytes

  // Fills `out`. INVALID_ARGUMENT if the bytes end before; `what` names what was being read.
  absl::Status ReadExactly(std::span<std::byte> out, std::string_view what);

  // Makes `out` `size_bytes` long. Memory grows with the bytes that really come, so that a header
  // that lies cannot make it huge.
  absl::Status ReadVector(uint64_t size_bytes, std::string_view what, std::vector<std::byte>& out);

  // Fewer than out.size() bytes only at the end.
  absl::StatusOr<size_t> ReadUpTo(std::span<std::byte> out);

  // INVALID_ARGUMENT if there are further bytes.
  absl::Status ExpectEnd();

 private:
  InputFile(std::string name, std::unique_ptr<ByteSource> source)
      : name_(std::move(name)), source_(std::move(source)) {}

  std::string name_;
  std::unique_ptr<ByteSource> source_;
  uint64_t offset_ = 0;
};

}  // namespace tally

#endif  // TALLY_CLIENT_DATASETS_BYTE_SOURCE_H_
