#include "client/lib/backoff.h"

#include <algorithm>
#include <random>

namespace tally::internal {

Backoff::Backoff(std::chrono::milliseconds first, std::chrono::milliseconds max, uint64_t seed)
    : first_(std::max(first, std::chrono::milliseconds(1))),
      max_(std::max(max, first_)),
      base_(first_),
      state_(seed) {}

std::chrono::milliseconds Backoff::Next() {
  const int64_t permille = 800 + static_cast<int64_t>(Draw() % 401);
  const std::chrono::milliseconds delay(base_.count() * permille / 1000);
  base_ = base_ > max_ / 2 ? max_ : base_ * 2;
  return std::max(delay, std::chrono::milliseconds(1));
}

// SplitMix64 (Steele, Lea, Flood, 2014): enough for spreading delays.
uint64_t Backoff::Draw() {
  state_ += 0x9e3779b97f4a7c15u;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t RandomSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

}  // namespace tally::internal
