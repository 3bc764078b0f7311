// What tests of kernels at every level share: the fixture, packed weights, and results with guards.

#ifndef TALLY_TESTS_CORE_KERNELS_LEVEL_FIXTURE_H_
#define TALLY_TESTS_CORE_KERNELS_LEVEL_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "core/kernels/level.h"
#include "core/kernels/packed_matrix.h"
#include "core/kernels/panel_sums.h"
#include "core/kernels/reference.h"
#include "tests/core/kernels/random_matrix.h"

namespace tally::test {

// Runs a test with one level active.
class LevelTest : public testing::TestWithParam<kernels::Level> {
 protected:
  LevelTest() { kernels::SetActiveLevel(GetParam()); }
  ~LevelTest() override { kernels::SetActiveLevel(level_before_); }

  std::mt19937_64 random_{11};

 private:
  const kernels::Level level_before_ = kernels::ActiveLevel();
};

inline auto EveryLevel() {
  return testing::ValuesIn(kernels::UsableLevels().begin(), kernels::UsableLevels().end());
}
inline std::string NameOfLevel(const testing::TestParamInfo<kernels::Level>& tested) {
  return std::string(kernels::LevelName(tested.param));
}

inline size_t OneTo(std::mt19937_64& random, size_t most) {
  return 1 + static_cast<size_t>(random() % most);
}

inline Filling AnyFilling(std::mt19937_64& random) {
  return kFillings[random() % std::size(kFillings)];
}

template <class T>
kernels::PackedMatrix<T> Packed(const Tensor<T>& plain) {
  kernels::PackedMatrix<T> packed(plain.matrix().rows, plain.matrix().columns);
  packed.Pack(plain.matrix());
  return packed;
}

// Results with old contents that must not shine through, between guards that must stay.
template <class T>
class Guarded {
 public:
  Guarded(size_t rows, size_t columns)
      : view_{nullptr, rows, columns}, memory_(rows * columns + 2 * kGuard, kOld) {
    view_.data = memory_.data() + kGuard;
  }
  MatrixView<T> view() const { return view_; }

  void ExpectEquals(const kernels::reference::Matrix& expected) const {
    ASSERT_EQ(view_.size(), expected.elements.size());
    for (size_t i = 0; i < view_.size(); ++i) {
      ASSERT_EQ(view_.data[i], expected.elements[i])
          << "row " << i / view_.columns << " column " << i % view_.columns;
    }
    for (size_t i = 0; i < kGuard; ++i) {
      ASSERT_EQ(memory_[i], kOld);
      ASSERT_EQ(memory_[memory_.size() - 1 - i], kOld);
    }
  }

 private:
  static constexpr size_t kGuard = 64;
  static constexpr T kOld = 77;
  MatrixView<T> view_;
  std::vector<T> memory_;
};

// Every sum of a gradient, with the columns that the weights do not have.
template <class Sum>
void ExpectGradient(const kernels::PanelSums<Sum>& sums,
                    const kernels::reference::Matrix& expected) {
  for (size_t panel = 0; panel < sums.panels(); ++panel) {
    for (size_t k = 0; k < expected.rows; ++k) {
      for (size_t lane = 0; lane < 16; ++lane) {
        const size_t j = panel * 16 + lane;
        ASSERT_EQ(sums.Row(panel, k)[lane], j < expected.columns ? expected.at(k, j) : 0)
            << "row " << k << " column " << j;
      }
    }
  }
}

// Sums [depth, columns] of an earlier gradient.
template <class Sum>
kernels::PanelSums<Sum> OldSums(size_t depth, size_t columns) {
  kernels::PanelSums<Sum> sums(depth, columns);
  for (size_t k = 0; k < depth; ++k) {
    for (size_t j = 0; j < columns; ++j) sums.Row(j / 16, k)[j % 16] = 77;
  }
  return sums;
}

}  // namespace tally::test

#endif  // TALLY_TESTS_CORE_KERNELS_LEVEL_FIXTURE_H_
