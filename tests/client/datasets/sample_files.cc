#include "tests/client/datasets/sample_files.h"

#include <lzma.h>
#include <zlib.h>

#include <cstdlib>

namespace tally {

std::string IdxBytes(uint8_t type, const std::vector<uint32_t>& dimensions,
                     const std::string& payload) {
  std::string bytes = {0, 0, static_cast<char>(type), static_cast<char>(dimensions.size())};
  for (const uint32_t d : dimensions) {
    bytes += {static_cast<char>(d >> 24), static_cast<char>(d >> 16), static_cast<char>(d >> 8),
              static_cast<char>(d)};
  }
  return bytes + payload;
}

std::string SmallImages(uint32_t n) {
  std::string pixels;
  for (uint32_t i = 0; i < n * 6; ++i) pixels += static_cast<char>(i % 251);
  return IdxBytes(0x08, {n, 2, 3}, pixels);
}

std::string SmallLabels(uint32_t n) {
  std::string labels;
  for (uint32_t i = 0; i < n; ++i) labels += static_cast<char>(i % 10);
  return IdxBytes(0x08, {n}, labels);
}

std::string Gzip(const std::string& bytes) {
  z_stream stream = {};
  if (deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  std::string out(deflateBound(&stream, bytes.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string Xz(const std::string& bytes) {
  std::string out(lzma_stream_buffer_bound(bytes.size()), '\0');
  size_t used = 0;
  if (lzma_easy_buffer_encode(
          0, LZMA_CHECK_CRC64, nullptr, reinterpret_cast<const uint8_t*>(bytes.data()),
          bytes.size(), reinterpret_cast<uint8_t*>(out.data()), &used, out.size()) != LZMA_OK) {
    std::abort();
  }
  out.resize(used);
  return out;
}

std::string CifarRecords(uint32_t n) {
  std::string bytes;
  for (uint32_t i = 0; i < n; ++i) {
    bytes += static_cast<char>(i % 10);
    for (uint32_t j = 0; j < 3072; ++j) bytes += static_cast<char>((i + j) % 256);
  }
  return bytes;
}

}  // namespace tally
