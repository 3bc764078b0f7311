#include "core/arithmetic/philox.h"

#include "core/arithmetic/check.h"

namespace tally {
namespace {

constexpr uint32_t kTensorBits = 24;
constexpr uint32_t kSubCounters = 256;

std::array<uint32_t, 2> Words(uint64_t value) {
  return {static_cast<uint32_t>(value), static_cast<uint32_t>(value >> 32)};
}

}  // namespace

UniformDraws::UniformDraws(uint64_t seed, uint64_t step, uint32_t tensor)
    : key_(Words(seed)), step_(Words(step)), tensor_(tensor) {
  TALLY_CHECK(tensor < (1u << kTensorBits));
}

std::array<uint32_t, 4> UniformDraws::Block(uint32_t tensor_word, uint32_t last_word) const {
  return Philox4x32({step_[0], step_[1], tensor_word, last_word}, key_);
}

void UniformDraws::LoadBlock(uint64_t block) {
  TALLY_CHECK(block <= UINT32_MAX);
  block_ = Block(tensor_, static_cast<uint32_t>(block));
  block_index_ = block;
}

uint32_t UniformDraws::AtCarefully(uint64_t index, uint32_t bound) const {
  TALLY_CHECK(bound != 0);
  const uint32_t rejected_below = (0u - bound) % bound;  // 2^32 mod bound
  std::array<uint32_t, 4> block = block_;
  size_t word = index & 3;
  for (uint32_t sub_counter = 1; sub_counter <= kSubCounters; ++sub_counter) {
    for (; word < block.size(); ++word) {
      const uint64_t product = uint64_t{block[word]} * bound;
      if (static_cast<uint32_t>(product) >= rejected_below) {
        return static_cast<uint32_t>(product >> 32);
      }
    }
    TALLY_CHECK(index <= UINT32_MAX);
    block = Block(tensor_ + (sub_counter << kTensorBits), static_cast<uint32_t>(index));
    word = 0;
  }
  // A word is rejected with a probability below one half; a thousand in a row do not happen.
  TALLY_CHECK(false);
}

}  // namespace tally
