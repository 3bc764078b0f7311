// An implementation of NITI's golden networks, to be held against niti_golden.h.

#ifndef TALLY_TESTS_CORE_ORACLE_NITI_GOLDEN_SUBJECT_H_
#define TALLY_TESTS_CORE_ORACLE_NITI_GOLDEN_SUBJECT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tests/core/oracle/slow_niti.h"
#include "tests/core/oracle/slow_niti_input.h"
#include "tests/core/pocketnn/mnist.h"

namespace tally::oracle {

enum class GoldenNetwork { kMlp, kLenet };

// Of the first 25,000 training images, pixels less 128; and the unit of the golden networks.
inline constexpr Deviation kMnistDeviation = {-94, 55};
inline constexpr int64_t kGoldenUnit = 51;

// Layers are those with weights, from 0.
class GoldenSubject {
 public:
  virtual ~GoldenSubject() = default;

  // One mini-batch of raw pixels; returns the right predictions.
  virtual int64_t TrainStep(const RowBatch& pixels, const std::vector<uint32_t>& labels) = 0;

  virtual size_t layers() const = 0;
  virtual std::vector<int64_t> Weights(size_t layer) = 0;
  virtual int64_t Exponent(size_t layer) = 0;

  // Of the last mini-batch.
  virtual SlowTrace Trace(size_t layer) const = 0;
  virtual std::vector<int64_t> Logits() const = 0;
  virtual std::vector<int64_t> Errors() const = 0;
};

// The slow network of this folder.
std::unique_ptr<GoldenSubject> MakeGoldenOracle(GoldenNetwork network, int32_t mu);
// The product: niti/golden-mlp and niti/golden-lenet of the zoo.
std::unique_ptr<GoldenSubject> MakeGoldenLearner(GoldenNetwork network, int32_t mu);

}  // namespace tally::oracle

#endif  // TALLY_TESTS_CORE_ORACLE_NITI_GOLDEN_SUBJECT_H_
