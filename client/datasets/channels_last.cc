#include "client/datasets/channels_last.h"

#include <algorithm>
#include <cstring>

namespace tally {
namespace {

std::vector<uint32_t> WithoutOnes(std::vector<uint32_t> shape) {
  std::erase(shape, 1u);
  return shape;
}

}  // namespace

bool WantsChannelsLast(const std::vector<uint32_t>& data, const std::vector<uint32_t>& model) {
  std::vector<uint32_t> shape = WithoutOnes(data);
  const std::vector<uint32_t> wanted = WithoutOnes(model);
  if (shape.size() < 2 || shape == wanted) return false;
  std::rotate(shape.begin(), shape.begin() + 1, shape.end());
  return shape == wanted;
}

void MoveChannelsLast(Dataset& dataset) {
  const size_t element_bytes = ElementBytes(dataset.type);
  const size_t channels = dataset.shape.front();
  const size_t places = dataset.elements() / channels;
  std::vector<std::byte> row(dataset.row_bytes());
  for (size_t begin = 0; begin < dataset.rows.size(); begin += row.size()) {
    std::byte* const out = dataset.rows.data() + begin;
    std::memcpy(row.data(), out, row.size());
    for (size_t c = 0; c < channels; ++c) {
      for (size_t p = 0; p < places; ++p) {
        std::memcpy(out + (p * channels + c) * element_bytes,
                    row.data() + (c * places + p) * element_bytes, element_bytes);
      }
    }
  }
  std::rotate(dataset.shape.begin(), dataset.shape.begin() + 1, dataset.shape.end());
}

}  // namespace tally
