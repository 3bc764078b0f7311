#include <zlib.h>

#include <utility>

#include "client/datasets/byte_source.h"
#include "core/arithmetic/check.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally {
namespace {

constexpr size_t kInputBytes = size_t{1} << 16;
constexpr int kGzipWindowBits = 15 + 16;  // zlib: "+ 16" asks for the gzip wrapper and its CRC

// RFC 1952; several members one after the other are one stream.
class GzipSource : public ByteSource {
 public:
  GzipSource(std::unique_ptr<ByteSource> compressed, std::string name)
      : compressed_(std::move(compressed)), name_(std::move(name)), input_(kInputBytes) {
    TALLY_CHECK(inflateInit2(&stream_, kGzipWindowBits) == Z_OK);
  }
  ~GzipSource() override { inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  absl::StatusOr<size_t> Read(std::span<std::byte> out) override {
    const size_t wanted = std::min(out.size(), size_t{1} << 30);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(wanted);
    while (!finished_ && stream_.avail_out == wanted) {
      TALLY_RETURN_IF_ERROR(Step());
    }
    const size_t n = wanted - stream_.avail_out;
    produced_ += n;
    return n;
  }

 private:
  absl::Status Step() {
    if (stream_.avail_in == 0) TALLY_RETURN_IF_ERROR(Refill());
    if (member_ended_) {
      if (stream_.avail_in == 0) {
        finished_ = true;
        return absl::OkStatus();
      }
      // Bytes behind a member are another member, or damage that inflate reports.
      inflateReset(&stream_);
      member_ended_ = false;
    } else if (stream_.avail_in == 0) {
      return absl::DataLossError(text::StrCat(name_, ": truncated: the gzip data ends early after ",
                                              produced_, " decompressed bytes"));
    }
    const int result = inflate(&stream_, Z_NO_FLUSH);
    if (result == Z_STREAM_END) {
      member_ended_ = true;
    } else if (result != Z_OK) {
      return absl::DataLossError(text::StrCat(
          name_, ": damaged gzip data after ", produced_, " decompressed bytes: ",
          stream_.msg != nullptr ? stream_.msg : "the compressed stream makes no sense"));
    }
    return absl::OkStatus();
  }

  absl::Status Refill() {
    TALLY_ASSIGN_OR_RETURN(const size_t n, compressed_->Read(input_));
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
    stream_.avail_in = static_cast<uInt>(n);
    return absl::OkStatus();
  }

  std::unique_ptr<ByteSource> compressed_;
  std::string name_;
  std::vector<std::byte> input_;
  z_stream stream_ = {};
  uint64_t produced_ = 0;
  bool member_ended_ = false;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> MakeGzipSource(std::unique_ptr<ByteSource> compressed,
                                           std::string name) {
  return std::make_unique<GzipSource>(std::move(compressed), std::move(name));
}

}  // namespace tally
