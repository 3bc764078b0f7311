// What a model is: everything that, with a sequence of samples, determines its weights.
//
// A ModelSpec is plain data. It is read from YAML files and from the wire through one strict reader
// (model_spec_reader.h), so that both have the same fields, ranges and error messages.

#ifndef TALLY_CORE_LEARNER_MODEL_SPEC_H_
#define TALLY_CORE_LEARNER_MODEL_SPEC_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tally {

enum class ElementType : uint8_t { kUint8, kInt8, kInt16 };

// Bytes of one element: 1, 1, 2.
size_t ElementBytes(ElementType type);

struct InputSpec {
  std::vector<uint32_t> shape;  // 1 to 4 dimensions, each in [1, 65536]; product in [1, 1 Mi]
  ElementType type = ElementType::kUint8;
};

// Where the constants of the integer standardisation come from.
enum class PreprocessingKind : uint8_t {
  kNone,        // elements enter the network as they are
  kConstants,   // `mean` and `deviation` are given in the spec
  kCalibrated,  // both are measured on the first `calibration_samples` samples
};

// One pair of constants for all elements of a row, one pair an element, or one a channel: the last
// of the three dimensions of an image.
enum class PreprocessingScope : uint8_t { kGlobal, kElement, kChannel };

// y = clip(DivTrunc((x - mean) * unit, deviation), -127, 127), all integers. `deviation` is the
// mean absolute deviation, at least 1.
struct PreprocessingSpec {
  PreprocessingKind kind = PreprocessingKind::kNone;
  PreprocessingScope scope = PreprocessingScope::kGlobal;
  uint32_t unit = 51;  // [1, 127]; value of one mean absolute deviation
  // kConstants: 1 value (kGlobal), one an element or one a channel; each in [-32768, 32767].
  std::vector<int32_t> mean;
  std::vector<int32_t> deviation;    // likewise; each in [1, 65535]
  uint32_t calibration_samples = 0;  // kCalibrated: [1, 65536]; otherwise 0
};

enum class Activation : uint8_t {
  kPocketTanh,
  kPocketSigmoid,
  kPocketLeakyRelu,
  kPocketRelu8,
  kRescale,
  kAsIs,
  kRelu,
};

// PocketNN has dense layers only; shapes of the others are in layer_shapes.h.
enum class LayerKind : uint8_t {
  kDense,    // fully connected
  kConv2d,   // stride 1, zero padding on all sides
  kMaxPool,  // windows side by side; what is left over at the lower and right edge is dropped
  kDropout,  // during training, inputs are set to 0 at random; nothing in prediction
};

// Of a kernel, or what is added on each side: rows and columns of an image.
struct Extent2d {
  uint32_t height = 0;
  uint32_t width = 0;
  friend bool operator==(const Extent2d&, const Extent2d&) = default;
};

// The last layer is dense with `classes` units.
struct LayerSpec {
  uint32_t units = 0;  // [1, 65536]; dense and conv2d (its output channels)
  Activation activation = Activation::kPocketTanh;  // dense and conv2d
  LayerKind kind = LayerKind::kDense;
  Extent2d kernel = {};        // conv2d: [1, 32] each; max_pool: [1, 16] each
  Extent2d padding = {};       // conv2d: each less than the kernel's
  uint32_t drop_permille = 0;  // dropout: [1, 999]
};

// What applies from mini-batch step `from_step` (counted from 0) on. PocketNN's sums are divided by
// `inverse`; NITI's gradients are reduced to about `mu` bits.
struct RatePoint {
  uint64_t from_step = 0;          // strictly rising; the first is 0
  uint32_t inverse = 0;            // pocketnn: [1, 2^31 - 1]
  std::optional<int32_t> mu = {};  // niti: [-15, 7], or up to 15 with 16-bit weights
};

enum class CreditAssignment : uint8_t { kDirectFeedback, kBackPropagation };

// How a weight's gradient sum is divided by the inverse learning rate.
enum class UpdateRounding : uint8_t {
  kTowardZero,     // the published rule; |sum| < inverse is lost (a dead zone)
  kErrorFeedback,  // the remainder is kept a weight and added to the next sum
  kStochastic,     // rounded up in magnitude with probability remainder / inverse, counter-based
};

// kReference is the published code's exact behaviour, its random stream included; `tally fit` only.
enum class PocketNnProfile : uint8_t { kStandard, kReference };

struct PocketNnSpec {
  PocketNnProfile profile = PocketNnProfile::kStandard;
  CreditAssignment training = CreditAssignment::kDirectFeedback;
  uint32_t target = 15;           // [1, 127]; output wanted for the true class, 0 for the others
  uint32_t weight_limit = 32767;  // [1, 32767]; weights and biases are clamped to +-limit
  UpdateRounding update_rounding = UpdateRounding::kTowardZero;
  friend bool operator==(const PocketNnSpec&, const PocketNnSpec&) = default;
};

enum class NitiProfile : uint8_t {
  kStandard,
  kGolden,     // first weights by hash, as the golden values want them
  kReference,  // the published code's wraps and dropped gradients as well
};

// How the errors of the loss are reduced to int8.
enum class LossRounding : uint8_t { kHalfAwayFromZero, kPseudoStochastic, kStochastic };

// How exact the softmax of NITI's loss is: its powers of two have whole exponents, or 1/256 of one.
enum class NitiSoftmax : uint8_t { kOctaves, kFine };

// core/algorithms/niti/README.md has the formulas.
struct NitiSpec {
  NitiProfile profile = NitiProfile::kStandard;
  uint32_t weight_bits = 8;  // 8, or 16: eight more bits of fraction are kept, not computed with
  LossRounding loss_rounding = LossRounding::kPseudoStochastic;
  // A gradient is treated as if its range had at least so many bits, so that small ones stay small.
  uint32_t gradient_bits_min = 0;  // [0, 31]
  // Gradients are measured by the largest range of late, in the scale of the loss, which falls by a
  // bit after so many mini-batches below it; 0: each by its own. [0, 65536]
  uint32_t range_memory = 0;
  // The weights are added to their gradients, this many bits below the gradient's range; 0: never.
  // With momentum_bits: so many bits below the weights themselves.
  uint32_t decay_bits = 0;  // 0 or [8, 31]
  NitiSoftmax softmax = NitiSoftmax::kOctaves;
  // Not 0: weights move by a velocity that keeps 1 - 2^-n of itself, and mu is the logarithm of the
  // learning rate in the scale of the loss. Needs 16-bit weights.
  uint32_t momentum_bits = 0;  // [0, 5]
  // The first weights are so many bits smaller than the largest. Needs 16-bit weights.
  uint32_t headroom_bits = 0;  // [0, 4]
  friend bool operator==(const NitiSpec&, const NitiSpec&) = default;
};

// What happens to images before training; the network sees neither in prediction.
struct AugmentationSpec {
  uint32_t crop_padding = 0;     // [0, 16]; shifted by up to so many pixels, each way
  bool horizontal_flip = false;  // every other image, at random
  friend bool operator==(const AugmentationSpec&, const AugmentationSpec&) = default;
};

struct ModelSpec {
  std::string name;       // [a-z0-9][a-z0-9._-]{0,62}; not part of the canonical text
  std::string algorithm;  // "pocketnn" or "niti"
  InputSpec input;
  PreprocessingSpec preprocessing;
  std::vector<LayerSpec> layers;         // 1 to 64
  uint32_t classes = 0;                  // [2, 65536]
  std::vector<std::string> labels;       // empty, or one name a class: UTF-8, 1 to 128 bytes
  uint32_t batch_size = 20;              // [1, 4096]
  std::vector<RatePoint> learning_rate;  // 1 to 256 points
  uint64_t schedule_steps = 0;  // [1, 2^40]; length of the training schedule in mini-batches
  uint64_t seed = 1;
  PocketNnSpec pocketnn;  // one of these two, the algorithm's; the other is as made
  NitiSpec niti;
  AugmentationSpec augmentation;  // niti

  size_t InputElements() const;  // product of input.shape
  size_t RowBytes() const;       // InputElements() * ElementBytes(input.type)
};

inline constexpr uint64_t kInputElementsMax = uint64_t{1} << 20;
inline constexpr uint64_t kParametersMax = uint64_t{1} << 30;

inline constexpr char kPocketNnName[] = "pocketnn";
inline constexpr char kNitiName[] = "niti";

// Weights and biases of all layers, at most kParametersMax; what the daemon's parameter limit
// counts. NITI has no biases.
uint64_t ParameterCount(const ModelSpec& spec);

// The learning rate in force at mini-batch `step`: PocketNN's inverse, NITI's mu.
uint32_t InverseRateAt(const ModelSpec& spec, uint64_t step);
int32_t MuAt(const ModelSpec& spec, uint64_t step);

// Passes over `samples` samples that the schedule asks for, at least 1: schedule_steps over the
// mini-batches of a pass, of which the last may be partial, rounded up. This is what `--epochs`
// defaults to.
uint32_t ScheduleEpochs(const ModelSpec& spec, uint64_t samples);

}  // namespace tally

#endif  // TALLY_CORE_LEARNER_MODEL_SPEC_H_
