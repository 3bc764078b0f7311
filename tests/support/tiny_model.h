// A model small enough to train thousands of times in a test, samples for it, and a trainer so
// plain that it can be the judge of all others.

#ifndef TALLY_TESTS_SUPPORT_TINY_MODEL_H_
#define TALLY_TESTS_SUPPORT_TINY_MODEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/learner/learner.h"
#include "core/learner/model_spec.h"
#include "daemon/storage/record.h"

namespace tally::testing {

// 6 inputs of uint8, 3 classes; calibrated on the first `calibration_samples` if not 0. The layers
// are few, and what they keep between steps is all that the algorithm can keep.
ModelSpec TinySpec(const std::string& algorithm, const std::string& name, uint32_t batch_size = 4,
                   uint32_t calibration_samples = 0);
// Of any algorithm, for tests that do not depend on it.
ModelSpec TinySpec(const std::string& name, uint32_t batch_size = 4,
                   uint32_t calibration_samples = 0);

// Row and label of one sample: a function of its source and sequence.
std::string TinyRow(const std::string& source, uint64_t sequence);
uint32_t TinyLabel(const std::string& source, uint64_t sequence);

storage::SamplesRecord TinyPacket(const std::string& source, uint64_t first_sequence,
                                  uint32_t count);

// Trains in the order of its calls, from whole mini-batches in a vector: no positions, no threads,
// no shared code with daemon/hosting.
class PlainTrainer {
 public:
  explicit PlainTrainer(const ModelSpec& spec);

  void Add(const std::string& row, uint32_t label);
  void Add(const storage::SamplesRecord& packet);
  // Trains what is left of the open mini-batch.
  void Flush();

  std::string Digest();
  uint64_t step() const { return learner_->step(); }
  uint64_t trained() const { return trained_; }
  uint64_t correct() const { return correct_; }

 private:
  void TrainFirst(size_t count);

  const ModelSpec spec_;
  std::unique_ptr<Learner> learner_;
  std::vector<std::string> rows_;
  std::vector<uint32_t> labels_;
  uint64_t trained_ = 0;
  uint64_t correct_ = 0;
};

}  // namespace tally::testing

#endif  // TALLY_TESTS_SUPPORT_TINY_MODEL_H_
