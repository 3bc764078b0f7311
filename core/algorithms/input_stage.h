// The way into a network: a row's bytes become int16 elements, standardised when the spec says so.
// Shared by the algorithms.

#ifndef TALLY_CORE_ALGORITHMS_INPUT_STAGE_H_
#define TALLY_CORE_ALGORITHMS_INPUT_STAGE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "core/arithmetic/division.h"
#include "core/learner/learner.h"
#include "core/learner/model_spec.h"
#include "core/tensor/matrix_view.h"
#include "core/tensor/tensor.h"

namespace tally {

class InputStage {
 public:
  explicit InputStage(const ModelSpec& spec);

  // Largest magnitude of an element that Read can give.
  static uint32_t MagnitudeMax(const ModelSpec& spec);

  // Bytes of the constants that a stage of this spec keeps.
  static uint64_t Bytes(const ModelSpec& spec);

  // Calibration rows still needed; 0 once the constants are there.
  uint32_t calibration_samples_wanted() const;

  // mean = DivTrunc(sum x, count), deviation = max(1, DivTrunc(sum |x - mean|, count)) over the
  // rows: of all elements together, of each, or of each channel. `scratch` has room for one row.
  void Calibrate(const RowBatch& rows, std::span<int16_t> scratch);

  // x [rows, elements] from the bytes; the constants are there.
  void Read(const RowBatch& rows, MatrixView<int16_t> x) const;

  // The same as int8, cut to +-127: elements of MagnitudeMax up to 127 as they are.
  void ReadInt8(const RowBatch& rows, MatrixView<int8_t> x) const;

  // Visits "input.mean" and "input.deviation" if rows are standardised. A deviation of 0 means that
  // calibration has not happened.
  void VisitState(StateVisitor& visitor);

  // After a restore: checks the constants and rebuilds what is derived from them.
  absl::Status CheckRestoredState();

 private:
  bool calibrated() const { return deviation_.empty() || deviation_[0] != 0; }
  void Load(std::span<const std::byte> bytes, std::span<int16_t> x) const;
  void LoadRow(const RowBatch& rows, size_t row, std::span<int16_t> x) const;
  void Fix(std::span<const int64_t> sums, int64_t count, std::span<int32_t> constants) const;
  void PrepareDividers();
  void PrepareTables();
  // Elements [first, first + x.size()) of a row from their bytes, standardised.
  void ReadPart(std::span<const std::byte> bytes, size_t first, std::span<int16_t> x) const;
  // The constants of an element.
  size_t ConstantOf(size_t element) const { return element % mean_.size(); }

  ElementType type_;
  size_t elements_;
  PreprocessingKind kind_;
  int32_t unit_;
  uint32_t calibration_samples_;
  PreprocessingScope scope_;
  Tensor<int32_t> mean_;       // empty without standardisation; as many as the scope asks for
  Tensor<int32_t> deviation_;  // likewise
  // By deviation_, one for all or one an element, with their means; empty before calibration.
  std::vector<TruncDivider32> dividers_;
  std::vector<int32_t> means_;
  // Bytes to int8, 256 elements a channel (or for all); empty where there is no such table.
  std::vector<int8_t> tables_;
};

}  // namespace tally

#endif  // TALLY_CORE_ALGORITHMS_INPUT_STAGE_H_
