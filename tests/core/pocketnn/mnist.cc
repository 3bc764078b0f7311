#include "tests/core/pocketnn/mnist.h"

#include <zlib.h>

#include <cstdlib>
#include <cstring>

namespace tally::test {
namespace {

constexpr size_t kImagesHeader = 16;
constexpr size_t kLabelsHeader = 8;

std::vector<std::byte> ReadGzip(const std::string& path) {
  std::vector<std::byte> bytes;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return bytes;
  std::byte chunk[1 << 16];
  int count = 0;
  while ((count = gzread(file, chunk, sizeof(chunk))) > 0) {
    bytes.insert(bytes.end(), chunk, chunk + count);
  }
  gzclose(file);
  return bytes;
}

}  // namespace

std::optional<LabelledImages> ReadMnist(const std::string& part) {
  const char* folder = std::getenv("TALLY_DATA_DIR");
  if (folder == nullptr) return std::nullopt;
  const std::string prefix = std::string(folder) + "/mnist/" + part;
  const std::vector<std::byte> images = ReadGzip(prefix + "-images-idx3-ubyte.gz");
  const std::vector<std::byte> labels = ReadGzip(prefix + "-labels-idx1-ubyte.gz");
  if (images.size() <= kImagesHeader || labels.size() <= kLabelsHeader) return std::nullopt;
  LabelledImages result;
  result.pixels.assign(images.begin() + kImagesHeader, images.end());
  for (size_t i = kLabelsHeader; i < labels.size(); ++i) {
    result.labels.push_back(static_cast<uint32_t>(labels[i]));
  }
  return result;
}

LabelledImages Gather(const LabelledImages& images, std::span<const uint32_t> order, size_t first,
                      size_t count) {
  LabelledImages gathered;
  gathered.pixels.resize(count * 784);
  for (size_t i = 0; i < count; ++i) {
    const size_t source = order[first + i];
    std::memcpy(gathered.pixels.data() + i * 784, images.pixels.data() + source * 784, 784);
    gathered.labels.push_back(images.labels[source]);
  }
  return gathered;
}

}  // namespace tally::test
