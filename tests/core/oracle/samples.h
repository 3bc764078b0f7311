// Pseudo-random samples for the comparisons with an oracle.

#ifndef TALLY_TESTS_CORE_ORACLE_SAMPLES_H_
#define TALLY_TESTS_CORE_ORACLE_SAMPLES_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/learner/learner.h"
#include "tests/core/oracle/slow_network.h"

namespace tally::oracle {

// SplitMix64 (Steele et al., 2014): samples need a stream of their own.
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  // In [low, high].
  int64_t Roll(int64_t low, int64_t high) {
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return low + static_cast<int64_t>(z % static_cast<uint64_t>(high - low + 1));
  }

 private:
  uint64_t state_;
};

inline std::pair<int64_t, int64_t> RangeOf(ElementType type) {
  if (type == ElementType::kUint8) return {0, 255};
  if (type == ElementType::kInt8) return {-128, 127};
  return {-32768, 32767};
}

// Rows drawn around one prototype a class, so that there is something to learn; one element in
// eight lies at an end of its range.
class Samples {
 public:
  Samples(const ModelSpec& spec, uint64_t seed) : spec_(spec), dice_(seed) {
    const auto [low, high] = RangeOf(spec.input.type);
    for (uint32_t c = 0; c < spec.classes; ++c) {
      auto& prototype = prototypes_.emplace_back();
      for (size_t i = 0; i < spec.InputElements(); ++i) prototype.push_back(dice_.Roll(low, high));
    }
  }

  // Replaces rows, labels and bytes.
  void Draw(size_t count) {
    const auto [low, high] = RangeOf(spec_.input.type);
    rows.clear();
    labels.clear();
    bytes.clear();
    for (size_t r = 0; r < count; ++r) {
      labels.push_back(static_cast<uint32_t>(dice_.Roll(0, spec_.classes - 1)));
      auto& row = rows.emplace_back();
      for (const int64_t centre : prototypes_[labels.back()]) {
        const int64_t kind = dice_.Roll(0, 15);
        int64_t element = (centre + dice_.Roll(low, high)) / 2;
        if (kind == 0) element = low;
        if (kind == 1) element = high;
        row.push_back(element);
        bytes.push_back(static_cast<std::byte>(element & 0xff));
        if (spec_.input.type == ElementType::kInt16) {
          bytes.push_back(static_cast<std::byte>((element >> 8) & 0xff));
        }
      }
    }
  }

  RowBatch batch() const { return {bytes, rows.size()}; }
  int64_t Roll(int64_t low, int64_t high) { return dice_.Roll(low, high); }

  Matrix rows;
  std::vector<uint32_t> labels;
  std::vector<std::byte> bytes;

 private:
  const ModelSpec& spec_;
  Dice dice_;
  Matrix prototypes_;
};

}  // namespace tally::oracle

#endif  // TALLY_TESTS_CORE_ORACLE_SAMPLES_H_
