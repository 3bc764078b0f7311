#include "tests/core/oracle/slow_philox.h"

namespace tally::oracle {
namespace {

uint32_t Low(uint64_t x) { return static_cast<uint32_t>(x & 0xffffffffu); }
uint32_t High(uint64_t x) { return static_cast<uint32_t>(x >> 32); }

std::array<uint32_t, 4> BlockAt(const DrawAddress& address, uint32_t tensor, uint32_t last) {
  return SlowPhilox({Low(address.step), High(address.step), tensor, last},
                    {Low(address.seed), High(address.seed)});
}

}  // namespace

std::array<uint32_t, 4> SlowPhilox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    if (round > 0) {
      key[0] += 0x9E3779B9;  // the golden ratio
      key[1] += 0xBB67AE85;  // the square root of 3, less 1
    }
    const uint64_t left = uint64_t{0xD2511F53} * counter[0];
    const uint64_t right = uint64_t{0xCD9E8D57} * counter[2];
    const std::array<uint32_t, 4> next = {High(right) ^ counter[1] ^ key[0], Low(right),
                                          High(left) ^ counter[3] ^ key[1], Low(left)};
    counter = next;
  }
  return counter;
}

uint32_t SlowDraw(const DrawAddress& address, uint32_t bound) {
  const uint64_t rejected_below = (uint64_t{1} << 32) % bound;
  const auto block = BlockAt(address, address.tensor, Low(address.index / 4));
  for (uint64_t word = address.index % 4; word < 4; ++word) {
    const uint64_t product = uint64_t{block[word]} * bound;
    if (Low(product) >= rejected_below) return High(product);
  }
  for (uint32_t sub = 1;; ++sub) {
    const auto own = BlockAt(address, address.tensor + sub * (1u << 24), Low(address.index));
    for (const uint32_t word : own) {
      const uint64_t product = uint64_t{word} * bound;
      if (Low(product) >= rejected_below) return High(product);
    }
  }
}

}  // namespace tally::oracle
