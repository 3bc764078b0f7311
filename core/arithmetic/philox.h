// Random integers that can be addressed: the value at (seed, step, tensor, index) is the same
// whoever computes it, in whatever order, on any machine and any number of threads or ranks.

#ifndef TALLY_CORE_ARITHMETIC_PHILOX_H_
#define TALLY_CORE_ARITHMETIC_PHILOX_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace tally {

// The Philox4x32-10 block function: 128 random bits out of a counter and a key.
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
constexpr std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter,
                                             std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53u} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

// What a stream of draws is for; part of every counter, so that no two uses share their bits.
// 0 is the shuffle; learners number their tensors from 1 on, below 2^24.
inline constexpr uint32_t kShuffleTensor = 0;

// Uniform bounded integers of one (seed, step, tensor).
//
// Element `index` first takes word index % 4 of the block with counter
//   (step low, step high, tensor, index / 4)   and key (seed low, seed high).
// A word w gives the high half of w * bound, unless the low half is below 2^32 mod bound: then it
// is rejected, which keeps the result exactly uniform. After a rejection the element takes the
// block's next word; after its last word, sub-counters s = 1, 2, ..., 255: words 0 to 3 of the
// block (step low, step high, tensor + s * 2^24, index), which belongs to this element alone.
class UniformDraws {
 public:
  // `tensor` is below 2^24.
  UniformDraws(uint64_t seed, uint64_t step, uint32_t tensor);

  // A uniform integer in [0, bound), bound >= 1, index < 2^34. Remembers the last block, so that
  // rising indices cost a quarter of a block each.
  uint32_t At(uint64_t index, uint32_t bound) {
    const uint64_t block = index >> 2;
    if (block != block_index_) {
      LoadBlock(block);
    }
    const uint64_t product = uint64_t{block_[index & 3]} * bound;
    // The low half is compared with the bound first: the remainder is smaller, and rarely needed.
    if (static_cast<uint32_t>(product) < bound) [[unlikely]] {
      return AtCarefully(index, bound);
    }
    return static_cast<uint32_t>(product >> 32);
  }

 private:
  void LoadBlock(uint64_t block);
  uint32_t AtCarefully(uint64_t index, uint32_t bound) const;
  std::array<uint32_t, 4> Block(uint32_t tensor_word, uint32_t last_word) const;

  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 2> step_;
  uint32_t tensor_;
  uint64_t block_index_ = ~uint64_t{0};
  std::array<uint32_t, 4> block_ = {};
};

}  // namespace tally

#endif  // TALLY_CORE_ARITHMETIC_PHILOX_H_
