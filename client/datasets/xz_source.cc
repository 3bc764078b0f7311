#include <lzma.h>

#include <utility>

#include "client/datasets/byte_source.h"
#include "core/arithmetic/check.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally {
namespace {

constexpr size_t kInputBytes = size_t{1} << 16;
// `xz -9` needs 65 MiB to decompress; a file that asks for more is not a data set of ours.
constexpr uint64_t kMemoryLimitBytes = uint64_t{256} << 20;

std::string_view Explain(lzma_ret result) {
  switch (result) {
    case LZMA_MEMLIMIT_ERROR:
      return "it needs more than 256 MiB of memory to decompress";
    case LZMA_FORMAT_ERROR:
      return "not an xz stream";
    case LZMA_OPTIONS_ERROR:
      return "it uses options that this decoder does not know";
    case LZMA_DATA_ERROR:
      return "a checksum or the compressed data is wrong";
    case LZMA_BUF_ERROR:
      return "it ends early; the file is truncated";
    default:
      return "the compressed stream makes no sense";
  }
}

class XzSource : public ByteSource {
 public:
  XzSource(std::unique_ptr<ByteSource> compressed, std::string name)
      : compressed_(std::move(compressed)), name_(std::move(name)), input_(kInputBytes) {
    TALLY_CHECK(lzma_stream_decoder(&stream_, kMemoryLimitBytes, LZMA_CONCATENATED) == LZMA_OK);
  }
  ~XzSource() override { lzma_end(&stream_); }
  XzSource(const XzSource&) = delete;
  XzSource& operator=(const XzSource&) = delete;

  absl::StatusOr<size_t> Read(std::span<std::byte> out) override {
    stream_.next_out = reinterpret_cast<uint8_t*>(out.data());
    stream_.avail_out = out.size();
    while (!finished_ && stream_.avail_out == out.size()) {
      TALLY_RETURN_IF_ERROR(Step());
    }
    const size_t n = out.size() - stream_.avail_out;
    produced_ += n;
    return n;
  }

 private:
  absl::Status Step() {
    if (stream_.avail_in == 0 && !input_ended_) {
      TALLY_ASSIGN_OR_RETURN(const size_t n, compressed_->Read(input_));
      stream_.next_in = reinterpret_cast<const uint8_t*>(input_.data());
      stream_.avail_in = n;
      input_ended_ = n == 0;
    }
    const lzma_ret result = lzma_code(&stream_, input_ended_ ? LZMA_FINISH : LZMA_RUN);
    if (result == LZMA_STREAM_END) {
      finished_ = true;
    } else if (result != LZMA_OK) {
      return absl::DataLossError(text::StrCat(name_, ": damaged xz data after ", produced_,
                                              " decompressed bytes: ", Explain(result)));
    }
    return absl::OkStatus();
  }

  std::unique_ptr<ByteSource> compressed_;
  std::string name_;
  std::vector<std::byte> input_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  uint64_t produced_ = 0;
  bool input_ended_ = false;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> MakeXzSource(std::unique_ptr<ByteSource> compressed, std::string name) {
  return std::make_unique<XzSource>(std::move(compressed), std::move(name));
}

}  // namespace tally
