// MNIST for the tests, straight from its gzip'd IDX files.

#ifndef TALLY_TESTS_CORE_POCKETNN_MNIST_H_
#define TALLY_TESTS_CORE_POCKETNN_MNIST_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/learner/learner.h"

namespace tally::test {

struct LabelledImages {
  std::vector<std::byte> pixels;  // 784 a row
  std::vector<uint32_t> labels;

  size_t rows() const { return labels.size(); }
  RowBatch Rows(size_t first, size_t count) const {
    return {std::span(pixels).subspan(first * 784, count * 784), count};
  }
};

// Reads $TALLY_DATA_DIR/mnist; `part` is "train" or "t10k". Nothing if the files are not there.
std::optional<LabelledImages> ReadMnist(const std::string& part);

// Samples in the order of `order[first ...]`, copied side by side.
LabelledImages Gather(const LabelledImages& images, std::span<const uint32_t> order, size_t first,
                      size_t count);

}  // namespace tally::test

#endif  // TALLY_TESTS_CORE_POCKETNN_MNIST_H_
