#include "core/algorithms/input_stage.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/arithmetic/check.h"
#include "core/arithmetic/rounding.h"
#include "core/kernels/standardise.h"
#include "core/learner/standardisation_constants.h"
#include "core/text/strings.h"

namespace tally {
namespace {

constexpr int32_t kDeviationMax = 65535;
constexpr size_t kTableSize = 256;
constexpr size_t kTableChannelsMax = 64;
constexpr size_t kPartElements = 1024;

// Constants are spread over the elements for the kernels, unless there is one pair for all.
size_t SpreadCount(const ModelSpec& spec) {
  const size_t constants = StandardisationConstants(spec);
  return spec.preprocessing.scope == PreprocessingScope::kGlobal ? constants
         : constants == 0                                        ? 0
                                                                 : spec.InputElements();
}

}  // namespace

InputStage::InputStage(const ModelSpec& spec)
    : type_(spec.input.type),
      elements_(spec.InputElements()),
      kind_(spec.preprocessing.kind),
      unit_(static_cast<int32_t>(spec.preprocessing.unit)),
      calibration_samples_(spec.preprocessing.calibration_samples),
      scope_(spec.preprocessing.scope) {
  const size_t constants = StandardisationConstants(spec);
  if (constants == 0) {
    PrepareTables();
    return;
  }
  mean_ = Tensor<int32_t>(Shape({constants}));
  deviation_ = Tensor<int32_t>(Shape({constants}));
  if (kind_ == PreprocessingKind::kConstants) {
    TALLY_CHECK(spec.preprocessing.mean.size() == constants);
    TALLY_CHECK(spec.preprocessing.deviation.size() == constants);
    std::copy_n(spec.preprocessing.mean.begin(), constants, mean_.data());
    std::copy_n(spec.preprocessing.deviation.begin(), constants, deviation_.data());
  }
  dividers_.reserve(SpreadCount(spec));
  means_.reserve(SpreadCount(spec));
  PrepareDividers();
}

uint32_t InputStage::MagnitudeMax(const ModelSpec& spec) {
  if (spec.preprocessing.kind != PreprocessingKind::kNone) {
    return 127;
  }
  switch (spec.input.type) {
    case ElementType::kUint8:
      return 255;
    case ElementType::kInt8:
      return 128;
    case ElementType::kInt16:
      return 32768;
  }
  TALLY_CHECK(false);
}

uint64_t InputStage::Bytes(const ModelSpec& spec) {
  // Calibration sums (int64) live for the time of one call.
  return StandardisationConstants(spec) * (2 * sizeof(int32_t) + sizeof(int64_t)) +
         SpreadCount(spec) * (sizeof(TruncDivider32) + sizeof(int32_t)) +
         kTableChannelsMax * kTableSize;
}

uint32_t InputStage::calibration_samples_wanted() const {
  return calibrated() ? 0 : calibration_samples_;
}

void InputStage::Calibrate(const RowBatch& rows, std::span<int16_t> scratch) {
  TALLY_CHECK(rows.rows == calibration_samples_wanted() && rows.rows > 0);
  const size_t constants = mean_.size();
  const int64_t count =
      static_cast<int64_t>(rows.rows) * static_cast<int64_t>(elements_ / constants);
  std::vector<int64_t> sums(constants, 0);
  for (size_t r = 0; r < rows.rows; ++r) {
    LoadRow(rows, r, scratch);
    for (size_t i = 0; i < elements_; ++i) {
      sums[ConstantOf(i)] += scratch[i];
    }
  }
  Fix(sums, count, mean_.elements());
  std::fill(sums.begin(), sums.end(), 0);
  for (size_t r = 0; r < rows.rows; ++r) {
    LoadRow(rows, r, scratch);
    for (size_t i = 0; i < elements_; ++i) {
      sums[ConstantOf(i)] += Magnitude(scratch[i] - mean_[ConstantOf(i)]);
    }
  }
  Fix(sums, count, deviation_.elements());
  for (int32_t& deviation : deviation_.elements()) {
    deviation = std::max(deviation, 1);
  }
  PrepareDividers();
}

void InputStage::Fix(std::span<const int64_t> sums, int64_t count,
                     std::span<int32_t> constants) const {
  // A mean lies within the range of its elements, so the quotients fit.
  for (size_t i = 0; i < sums.size(); ++i) {
    constants[i] = static_cast<int32_t>(DivTrunc(sums[i], count));
  }
}

void InputStage::PrepareDividers() {
  dividers_.clear();
  means_.clear();
  if (!calibrated()) {
    return;
  }
  const size_t count = scope_ == PreprocessingScope::kGlobal ? deviation_.size() : elements_;
  for (size_t i = 0; i < count && !deviation_.empty(); ++i) {
    dividers_.emplace_back(deviation_[ConstantOf(i)]);
    means_.push_back(mean_[ConstantOf(i)]);
  }
  PrepareTables();
}

void InputStage::PrepareTables() {
  const size_t channels = scope_ == PreprocessingScope::kChannel ? mean_.size() : 1;
  const bool by_place = scope_ == PreprocessingScope::kElement && !dividers_.empty();
  tables_.clear();
  if (type_ == ElementType::kInt16 || by_place || channels > kTableChannelsMax) return;
  std::array<std::byte, kTableSize> bytes;
  for (size_t i = 0; i < kTableSize; ++i) bytes[i] = static_cast<std::byte>(i);
  std::array<int16_t, kTableSize> elements;
  tables_.resize(channels * kTableSize);
  for (size_t c = 0; c < channels; ++c) {
    Load(bytes, elements);
    if (!dividers_.empty()) kernels::Standardise(means_[c], dividers_[c], unit_, elements);
    kernels::NarrowToMantissas(elements, std::span(tables_).subspan(c * kTableSize, kTableSize));
  }
}

void InputStage::Load(std::span<const std::byte> bytes, std::span<int16_t> x) const {
  switch (type_) {
    case ElementType::kUint8:
      return kernels::LoadUint8(bytes, x);
    case ElementType::kInt8:
      return kernels::LoadInt8(bytes, x);
    case ElementType::kInt16:
      return kernels::LoadInt16(bytes, x);
  }
}

void InputStage::LoadRow(const RowBatch& rows, size_t row, std::span<int16_t> x) const {
  const size_t row_bytes = elements_ * ElementBytes(type_);
  Load(rows.bytes.subspan(row * row_bytes, row_bytes), x);
}

void InputStage::ReadPart(std::span<const std::byte> bytes, size_t first,
                          std::span<int16_t> x) const {
  const size_t size = ElementBytes(type_);
  Load(bytes.subspan(first * size, x.size() * size), x);
  if (dividers_.empty()) return;
  if (scope_ == PreprocessingScope::kGlobal) {
    kernels::Standardise(means_[0], dividers_[0], unit_, x);
  } else {
    kernels::StandardiseEach(std::span(means_).subspan(first, x.size()),
                             std::span(dividers_).subspan(first, x.size()), unit_, x);
  }
}

void InputStage::Read(const RowBatch& rows, MatrixView<int16_t> x) const {
  TALLY_CHECK(x.rows == rows.rows && x.columns == elements_);
  const size_t row_bytes = elements_ * ElementBytes(type_);
  TALLY_CHECK(rows.bytes.size() == rows.rows * row_bytes && calibrated());
  for (size_t r = 0; r < rows.rows; ++r) {
    ReadPart(rows.bytes.subspan(r * row_bytes, row_bytes), 0, {x.Row(r), elements_});
  }
}

void InputStage::ReadInt8(const RowBatch& rows, MatrixView<int8_t> x) const {
  TALLY_CHECK(x.rows == rows.rows && x.columns == elements_);
  const size_t row_bytes = elements_ * ElementBytes(type_);
  TALLY_CHECK(rows.bytes.size() == rows.rows * row_bytes && calibrated());
  if (!tables_.empty()) return kernels::LookUp(rows.bytes, tables_, x.elements());
  std::array<int16_t, kPartElements> part;
  for (size_t r = 0; r < rows.rows; ++r) {
    const auto bytes = rows.bytes.subspan(r * row_bytes, row_bytes);
    for (size_t first = 0; first < elements_; first += kPartElements) {
      const size_t count = std::min(kPartElements, elements_ - first);
      ReadPart(bytes, first, std::span(part).first(count));
      kernels::NarrowToMantissas(std::span(part).first(count), {x.Row(r) + first, count});
    }
  }
}

void InputStage::VisitState(StateVisitor& visitor) {
  static_assert(std::endian::native == std::endian::little);
  if (!mean_.empty()) {
    visitor.Visit({.name = "input.mean",
                   .type = StateType::kInt32,
                   .shape = mean_.shape().extents(),
                   .bytes = mean_.bytes()});
    visitor.Visit({.name = "input.deviation",
                   .type = StateType::kInt32,
                   .shape = deviation_.shape().extents(),
                   .bytes = deviation_.bytes()});
  }
}

absl::Status InputStage::CheckRestoredState() {
  const bool may_wait = kind_ == PreprocessingKind::kCalibrated;
  const int32_t lowest = may_wait && !deviation_.empty() && deviation_[0] == 0 ? 0 : 1;
  const int32_t highest = lowest == 0 ? 0 : kDeviationMax;
  for (size_t i = 0; i < deviation_.size(); ++i) {
    if (deviation_[i] < lowest || deviation_[i] > highest) {
      return absl::DataLossError(
          text::StrCat("input.deviation[", i, "] is ", deviation_[i], ", outside [", lowest, ", ",
                       highest, "]: the state is damaged; restore an older checkpoint"));
    }
  }
  PrepareDividers();
  return absl::OkStatus();
}

}  // namespace tally
